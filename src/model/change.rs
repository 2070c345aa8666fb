//! Changes of servers that people and programs want to hear of, each told once: what changed, how much it matters, and
//! the sentence that says so. The journal shows them, the event log writes them.

use std::time::SystemTime;

use super::view::RowKind;
use super::{AlertSeverity, NodeName, Role};

/// How much something that happened matters; it decides the sign and colour of its entry in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something appeared: a node was added.
    Added,
    /// Something was removed on request: a node.
    Removed,
    /// Something happened that is neither good nor bad.
    Info,
    /// Something recovered.
    Good,
    /// Something needs attention.
    Warning,
    /// Something is broken.
    Critical,
}

impl Severity {
    /// The severity as a lower-case word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Info => "info",
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// True for warnings and critical entries.
    pub fn is_problem(self) -> bool {
        self >= Self::Warning
    }
}

impl From<AlertSeverity> for Severity {
    fn from(severity: AlertSeverity) -> Self {
        match severity {
            AlertSeverity::Warning => Self::Warning,
            AlertSeverity::Critical => Self::Critical,
        }
    }
}

/// A change of a server. `message` may contain text of the server: make it safe before it reaches a terminal.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// When it became known.
    pub at: SystemTime,
    /// The node that it is about.
    pub node: NodeName,
    /// How much it matters.
    pub severity: Severity,
    /// The sentence that says it, without the node.
    pub message: String,
    /// What changed.
    pub what: What,
}

/// What changed.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A promotion, or a primary that became a standby.
    Role {
        /// The role before.
        from: Role,
        /// The role now.
        to: Role,
    },
    /// The server writes or follows another timeline.
    Timeline {
        /// The timeline before.
        from: u32,
        /// The timeline now.
        to: u32,
    },
    /// The server was started again.
    Restarted {
        /// When it was started before, by its own clock.
        from: SystemTime,
        /// When it was started now.
        to: SystemTime,
    },
    /// The server runs another version.
    Version {
        /// The version before, as the server prints it.
        from: String,
        /// The version now.
        to: String,
    },
    /// Replication stopped, went on, or got a part more or less.
    Replication {
        /// Which part of it.
        side: Side,
        /// The application name of a sender, the name of a slot or subscription, the node that a receiver receives
        /// from; `None` where it is not known.
        name: Option<String>,
        /// What became of it.
        turn: Turn,
    },
    /// Settings have other values, or wait for a restart.
    Settings(Vec<SettingChange>),
    /// An alert began, ended, or has another severity.
    Alert {
        /// The name of the rule.
        rule: String,
        /// The severity now; the last one, if it ended.
        severity: AlertSeverity,
        /// What became of it.
        turn: AlertTurn,
    },
    /// Tables, indexes or extensions of a database are gone or new.
    Objects {
        /// What they are.
        of: RowKind,
        /// [`Turn::New`] or [`Turn::Gone`].
        turn: Turn,
        /// Their names.
        names: Vec<String>,
    },
}

impl What {
    /// The change in one or two words.
    pub fn title(&self) -> &'static str {
        match self {
            Self::Role { .. } => "role",
            Self::Timeline { .. } => "timeline",
            Self::Restarted { .. } => "restarted",
            Self::Version { .. } => "version",
            Self::Replication { side, turn, .. } => match (side, turn) {
                (Side::Sender, Turn::New) => "sender new",
                (Side::Sender, Turn::Back) => "sender back",
                (Side::Sender, Turn::Failing) => "sender unsteady",
                (Side::Sender, _) => "sender gone",
                (Side::Receiver, Turn::Back) => "WAL streaming back",
                (Side::Receiver, Turn::Failing) => "WAL streaming unsteady",
                (Side::Receiver, _) => "WAL streaming lost",
                (Side::Slot, Turn::New) => "slot new",
                (Side::Slot, _) => "slot gone",
                (Side::Subscription, Turn::New) => "subscription new",
                (Side::Subscription, Turn::Gone) => "subscription gone",
                (Side::Subscription, Turn::Lost) => "subscription disabled",
                (Side::Subscription, Turn::Failing) => "subscription failing",
                (Side::Subscription, Turn::Back) => "subscription back",
            },
            Self::Settings(_) => "settings",
            Self::Alert { turn, .. } => match turn {
                AlertTurn::Raised => "alert",
                AlertTurn::Worse => "alert worse",
                AlertTurn::Better => "alert better",
                AlertTurn::Cleared => "alert over",
            },
            Self::Objects { of, turn, .. } => match (of, turn) {
                (RowKind::Index, Turn::New) => "index new",
                (RowKind::Index, _) => "index gone",
                (RowKind::Extension, Turn::New) => "extension new",
                (RowKind::Extension, _) => "extension gone",
                (_, Turn::New) => "table new",
                (_, _) => "table gone",
            },
        }
    }

    /// Its parts, if it is about several things at once.
    pub fn parts(&self) -> Vec<String> {
        match self {
            Self::Settings(changed) => changed.iter().map(SettingChange::in_words).collect(),
            Self::Objects { names, .. } => names.clone(),
            _ => Vec::new(),
        }
    }

    /// True if it is, or may be, about the connected database rather than about the whole server.
    pub fn is_of_database(&self) -> bool {
        matches!(self, Self::Objects { .. } | Self::Alert { .. } | Self::Replication { side: Side::Subscription, .. })
    }
}

/// A part of replication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A process that sends WAL to a standby.
    Sender,
    /// The process of a standby that receives WAL.
    Receiver,
    /// A replication slot.
    Slot,
    /// A subscription.
    Subscription,
}

impl Side {
    /// As programs read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Receiver => "receiver",
            Self::Slot => "slot",
            Self::Subscription => "subscription",
        }
    }
}

/// What became of a part of replication, or of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It works no longer: a receiver that does not stream, a subscription that is disabled.
    Lost,
    /// It works again.
    Back,
    /// It was not there before.
    New,
    /// It is not there any more.
    Gone,
    /// It fails again and again.
    Failing,
}

impl Turn {
    /// As programs read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Back => "back",
            Self::New => "new",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }
}

/// What became of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertTurn {
    /// It began.
    Raised,
    /// It ended.
    Cleared,
    /// It became critical.
    Worse,
    /// It is only a warning now.
    Better,
}

impl AlertTurn {
    /// As programs read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Cleared => "cleared",
            Self::Worse => "worse",
            Self::Better => "better",
        }
    }
}

/// A setting that has another value, or waits for a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingChange {
    /// Its name.
    pub name: String,
    /// The value before; `None` where it may hold a secret.
    pub from: Option<String>,
    /// The value now; `None` where it may hold a secret, and where only the file has it until a restart.
    pub to: Option<String>,
    /// True if the value in the file takes effect only after a restart.
    pub pending_restart: bool,
}

impl SettingChange {
    /// `work_mem 4MB → 8MB`
    pub fn in_words(&self) -> String {
        let Self { name, from, to, pending_restart } = self;
        let shown = |value: &str| if value.is_empty() { "''".to_owned() } else { value.to_owned() };
        match (from, to) {
            (Some(from), None) if *pending_restart => format!("{name} ({}) waits for a restart", shown(from)),
            (None, None) if *pending_restart => format!("{name} waits for a restart"),
            (Some(from), Some(to)) => format!("{name} {} → {}", shown(from), shown(to)),
            _ => format!("{name} changed"),
        }
    }
}
