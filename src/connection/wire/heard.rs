//! What the stream of one connection has read so far, shared with the users of the connection.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;

use futures_util::task::AtomicWaker;
use tokio::sync::watch;

use super::allowance::{Allowance, Limits};
use super::fault::{Ended, Fault, alert_of};
use super::lent::Lent;
use super::ours::Own;
use crate::model::facts::Pooling;
use crate::model::protocol::ServerNotice;
use crate::model::{AuthMethod, AuthMethods};
use crate::sql::secrets::masked_message;

/// How many notices of one statement are kept; a server may send millions.
const MAX_NOTICES: usize = 100;
/// How many warnings at the login are kept; a trigger of the server may raise any number.
const MAX_WARNINGS: usize = 5;
/// How many characters of a notice are kept.
const MAX_NOTICE: usize = 4_000;
/// How many characters of a severity, a SQLSTATE or a version are kept.
const MAX_WORD: usize = 40;

/// A poisoned lock is used as usual: what it guards is consistent after every step.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was read on one connection.
pub(crate) struct Heard {
    /// How much the server may still send.
    pub(super) allowance: Allowance,
    kept: Mutex<Kept>,
    /// The state of the transaction in the last `ReadyForQuery`: `I`, `T` or `E`; 0 before the first.
    transaction: AtomicU8,
    /// How many answers the server has completed.
    answers: watch::Sender<u64>,
    /// True after we showed a client certificate, until a message has passed: in TLS 1.3 the server judges it after the
    /// handshake.
    judged: AtomicBool,
    cut: AtomicBool,
    waker: AtomicWaker,
}

#[derive(Default)]
struct Kept {
    /// Warnings that came before the session was ready: about the password, the database's collation.
    warnings: Vec<String>,
    notices: Vec<ServerNotice>,
    more_notices: usize,
    /// The error that ended the session.
    fatal: Option<ServerNotice>,
    /// The fault found in the bytes.
    fault: Option<Fault>,
    /// Set when the stream has ended.
    ended: Option<Ended>,
    /// How the server may ask who we are; `None`: in any way.
    require_auth: Option<AuthMethods>,
    /// True once the server has asked who we are.
    asked: bool,
    /// How many rounds of hashing the server asks for.
    scram_rounds: Option<u32>,
    server_version: Option<String>,
    server_encoding: Option<String>,
    /// True if a `COPY` wants data or sends some.
    copy: bool,
    /// The process id of the server's process.
    pid: Option<i32>,
    own: Option<Own>,
    lent: Option<Lent>,
}

impl Heard {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            allowance: Allowance::new(limits),
            kept: Mutex::default(),
            transaction: AtomicU8::default(),
            answers: watch::Sender::default(),
            judged: AtomicBool::default(),
            cut: AtomicBool::default(),
            waker: AtomicWaker::default(),
        })
    }

    /// Takes in a complete message.
    pub(super) fn message(&self, tag: u8, body: &[u8]) {
        self.judged.store(false, Ordering::Relaxed);
        match tag {
            b'Z' => {
                self.transaction.store(body.first().copied().unwrap_or(0), Ordering::Release);
                self.answers.send_modify(|count| *count += 1);
            }
            b'N' => {
                let notice = fields(body);
                // Before a server ends all sessions after a crash, or for an immediate shutdown, it sends a warning and
                // just closes the connection.
                if matches!(notice.sqlstate.as_str(), "57P01" | "57P02") {
                    lock(&self.kept).fatal = Some(notice.clone());
                }
                if self.transaction() == 0 && notice.sqlstate.starts_with("01") {
                    self.warning(&notice.message, field(body, b'D'));
                }
                self.notice(notice);
            }
            b'E' => {
                let error = fields(body);
                if matches!(error.severity.as_str(), "FATAL" | "PANIC") {
                    lock(&self.kept).fatal = Some(error);
                }
            }
            b'S' => {
                let mut texts = body.split(|&byte| byte == 0).map(String::from_utf8_lossy);
                let (name, value) = (texts.next().unwrap_or_default(), texts.next().unwrap_or_default());
                let word = || value.split_whitespace().next().map(|text| text.chars().take(MAX_WORD).collect());
                match &*name {
                    "server_version" => lock(&self.kept).server_version = word(),
                    "server_encoding" => lock(&self.kept).server_encoding = word(),
                    _ => {}
                }
            }
            b'K' => {
                let pid = body.first_chunk::<4>();
                lock(&self.kept).pid = pid.map(|bytes| i32::from_be_bytes(*bytes));
            }
            b'G' | b'H' | b'W' => lock(&self.kept).copy = true,
            _ => {}
        }
    }

    /// Takes in that the session is ours, at this address, for as long as this lives.
    pub(crate) fn is_ours(&self, address: String) {
        let mut kept = lock(&self.kept);
        kept.own = kept.pid.map(|pid| Own::new(address, pid));
    }

    /// Takes in that the session is open.
    pub(crate) fn opened(&self) {
        self.allowance.opened();
    }

    /// The process id that the login named.
    pub(crate) fn pid(&self) -> Option<i32> {
        lock(&self.kept).pid
    }

    /// Takes in that a pooler at this address hands out the server's processes, of which this one came first.
    pub(crate) fn is_lent(&self, address: String, pid: i32) {
        let mut kept = lock(&self.kept);
        kept.own = None;
        kept.lent = Some(Lent::new(address, pid));
    }

    /// Takes in which process of the server answered. Only for a session behind a pooler.
    pub(crate) fn answered_by(&self, pid: i32) {
        if let Some(lent) = &lock(&self.kept).lent {
            lent.answered_by(pid);
        }
    }

    /// How a pooler hands out the server's processes, as far as this session has seen; `None` without a pooler.
    pub(crate) fn pooling(&self) -> Option<Pooling> {
        lock(&self.kept).lent.as_ref().map(Lent::pooling)
    }

    /// Takes in that the session works for the user now, or has ended that.
    pub(crate) fn works_for_user(&self, works: bool) {
        if let Some(own) = &lock(&self.kept).own {
            own.list(!works);
        }
    }

    fn notice(&self, notice: ServerNotice) {
        let mut kept = lock(&self.kept);
        if kept.notices.len() < MAX_NOTICES {
            kept.notices.push(notice);
        } else {
            kept.more_notices += 1;
        }
    }

    fn warning(&self, message: &str, detail: Option<String>) {
        let mut kept = lock(&self.kept);
        if kept.warnings.len() < MAX_WARNINGS {
            kept.warnings.push(detail.map_or(message.to_owned(), |detail| format!("{message}: {detail}")));
        }
    }

    /// Takes in that we showed a client certificate.
    pub(crate) fn showed_certificate(&self) {
        self.judged.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_judged(&self) -> bool {
        self.judged.load(Ordering::Relaxed)
    }

    /// Keeps only the first fault: later ones are its consequences.
    pub(super) fn fault(&self, fault: Fault) {
        lock(&self.kept).fault.get_or_insert(fault);
    }

    /// Takes in that the stream has ended; `reason` is the system's, if there is one.
    pub(super) fn ended(&self, reason: Option<&io::Error>) {
        lock(&self.kept).ended.get_or_insert_with(|| Ended {
            how: reason.map_or(String::new(), ToString::to_string),
            alert: reason.and_then(alert_of),
        });
    }

    /// Takes in what the configuration requires of the way in which the server asks who we are.
    pub(crate) fn require_auth(&self, methods: Option<AuthMethods>) {
        lock(&self.kept).require_auth = methods;
    }

    /// Takes in a request for authentication. An error if it is not allowed: then the driver does not see it, so that no
    /// password is sent.
    pub(super) fn authentication(&self, body: &[u8]) -> Result<(), Fault> {
        const OK: u32 = 0;
        const SASL_CONTINUE: u32 = 11;
        let Some((code, rest)) = body.split_first_chunk().map(|(code, rest)| (u32::from_be_bytes(*code), rest)) else {
            return Ok(());
        };
        let mut kept = lock(&self.kept);
        let method = match code {
            OK if !kept.asked => AuthMethod::None,
            3 => AuthMethod::Password,
            5 => AuthMethod::Md5,
            7 => AuthMethod::Gss,
            9 => AuthMethod::Sspi,
            // The only one of its mechanisms that the driver uses.
            10 => AuthMethod::ScramSha256,
            SASL_CONTINUE => {
                let fields = rest.split(|&byte| byte == b',');
                let rounds = fields.into_iter().find_map(|field| field.strip_prefix(b"i="));
                kept.scram_rounds = rounds.and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
                return Ok(());
            }
            _ => return Ok(()),
        };
        kept.asked = true;
        match &kept.require_auth {
            Some(methods) if !methods.allow(method) => Err(Fault::Authentication(method)),
            _ => Ok(()),
        }
    }

    pub(crate) fn scram_rounds(&self) -> Option<u32> {
        lock(&self.kept).scram_rounds
    }

    /// True if the connection was cut; otherwise wakes this task when it is.
    pub(super) fn is_cut(&self, cx: &Context<'_>) -> bool {
        self.waker.register(cx.waker());
        self.cut.load(Ordering::Acquire)
    }

    /// Ends the connection at once, without a goodbye to the server.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Clears what an earlier statement left. Call it before sending the next one.
    pub(crate) fn clear(&self) {
        let mut kept = lock(&self.kept);
        kept.notices.clear();
        kept.more_notices = 0;
        kept.copy = false;
    }

    pub(crate) fn take_notices(&self) -> Vec<ServerNotice> {
        let mut kept = lock(&self.kept);
        let mut notices = std::mem::take(&mut kept.notices);
        if kept.more_notices > 0 {
            let message = format!("{} more notices were dropped", kept.more_notices);
            notices.push(ServerNotice { severity: "NOTICE".to_owned(), sqlstate: "00000".to_owned(), message });
        }
        notices
    }

    /// What the server warned of while the session was opened.
    pub(crate) fn warnings(&self) -> Vec<String> {
        lock(&self.kept).warnings.clone()
    }

    pub(crate) fn transaction(&self) -> u8 {
        self.transaction.load(Ordering::Acquire)
    }

    pub(crate) fn answers(&self) -> watch::Receiver<u64> {
        self.answers.subscribe()
    }

    pub(crate) fn fatal(&self) -> Option<ServerNotice> {
        lock(&self.kept).fatal.clone()
    }

    pub(crate) fn found_fault(&self) -> Option<Fault> {
        lock(&self.kept).fault.clone()
    }

    pub(crate) fn how_it_ended(&self) -> Option<Ended> {
        lock(&self.kept).ended.clone()
    }

    /// As the server prints it, without the packager's additions.
    pub(crate) fn server_version(&self) -> Option<String> {
        lock(&self.kept).server_version.clone()
    }

    /// The encoding of the database.
    pub(crate) fn server_encoding(&self) -> Option<String> {
        lock(&self.kept).server_encoding.clone()
    }

    pub(crate) fn wants_copy(&self) -> bool {
        lock(&self.kept).copy
    }
}

impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heard").field("cut", &self.cut).finish_non_exhaustive()
    }
}

/// One field of an error or a notice.
fn field(body: &[u8], code: u8) -> Option<String> {
    let text = body.split(|&byte| byte == 0).find_map(|field| field.strip_prefix(&[code]))?;
    Some(shown(text))
}

/// A text of the server as people may see it.
fn shown(text: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(text).chars().take(MAX_NOTICE).collect();
    masked_message(&text).into_owned()
}

/// The fields of an error or a notice that we show, without secrets. `V` is the severity in English, whatever the server's language.
fn fields(body: &[u8]) -> ServerNotice {
    let mut notice = ServerNotice { severity: String::new(), sqlstate: String::new(), message: String::new() };
    for field in body.split(|&byte| byte == 0) {
        let Some((&code, text)) = field.split_first() else { continue };
        let word = || String::from_utf8_lossy(text).chars().take(MAX_WORD).collect::<String>();
        match code {
            b'S' if notice.severity.is_empty() => notice.severity = word(),
            b'V' => notice.severity = word(),
            b'C' => notice.sqlstate = word(),
            b'M' => notice.message = shown(text),
            _ => {}
        }
    }
    notice
}
