//! Reads the configuration file again when it changes while the dashboard runs.
//!
//! The folder is watched, not the file: editors and configuration managers replace a file by renaming another over it,
//! and some swap a link above it. The file is read [`QUIET`] after the last change, so that a file written in pieces is
//! read once. A configuration equal to the one before is not reported.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::{Config, Diagnostic};

const QUIET: Duration = Duration::from_millis(200);
/// The link that Kubernetes swaps when a mounted `ConfigMap` changes. The file itself is a link through it and stays the
/// same.
const MOUNTED: &str = "..data";

type Loaded = Result<Config, Vec<Diagnostic>>;

/// Reads the configuration again; called on a thread of its own.
pub type Reload = Box<dyn Fn() -> Result<Config, Vec<Diagnostic>> + Send + Sync>;

/// Reads the file when it has changed, or on request.
pub(super) struct Reloader {
    ask: mpsc::Sender<Ask>,
    loaded: mpsc::Receiver<Loaded>,
    /// Held, not used: when these two are dropped, the file is no longer watched.
    _watcher: Option<RecommendedWatcher>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Changed,
    /// The user asked: report the result even if it equals the one before.
    Now,
}

impl Reloader {
    /// Without a path (an empty start) nothing is watched, but `now` works.
    pub(super) fn start(known: Config, reload: Reload) -> Self {
        let (ask, asked) = mpsc::channel(8);
        let (tell, loaded) = mpsc::channel(1);
        let watcher = known.path.as_deref().and_then(|path| watch(path, ask.clone()));
        let mut tasks = JoinSet::new();
        tasks.spawn(read_when_asked(asked, tell, Ok(known), Arc::new(reload)));
        Self { ask, loaded, _watcher: watcher, _tasks: tasks }
    }

    pub(super) fn now(&self) {
        // If the channel is full, the file is about to be read anyway.
        let _ = self.ask.try_send(Ask::Now);
    }
}

/// The next configuration read; never completes if nothing is watched. Cancel-safe.
pub(super) async fn next(reloader: &mut Option<Reloader>) -> Loaded {
    if let Some(reloader) = reloader
        && let Some(loaded) = reloader.loaded.recv().await
    {
        return loaded;
    }
    std::future::pending().await
}

fn watch(path: &Path, ask: mpsc::Sender<Ask>) -> Option<RecommendedWatcher> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or(".".into(), PathBuf::from);
    let name = path.file_name().map(OsStr::to_owned);
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        let concerns = |path: &PathBuf| path.file_name() == name.as_deref() || path.ends_with(MOUNTED);
        if !event.kind.is_access() && event.paths.iter().any(concerns) {
            let _ = ask.try_send(Ask::Changed);
        }
    });
    let result = watcher.and_then(|mut watcher| {
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    result.inspect_err(|error| tracing::warn!(%error, "the configuration file is not watched")).ok()
}

async fn read_when_asked(
    mut asked: mpsc::Receiver<Ask>,
    tell: mpsc::Sender<Loaded>,
    mut known: Loaded,
    reload: Arc<Reload>,
) {
    while let Some(mut ask) = asked.recv().await {
        while let Ok(Some(more)) = timeout(QUIET, asked.recv()).await {
            if more == Ask::Now {
                ask = Ask::Now;
            }
        }
        let loaded = read(&reload).await;
        if (ask == Ask::Now || loaded != known) && tell.send(loaded.clone()).await.is_err() {
            return;
        }
        known = loaded;
    }
}

async fn read(reload: &Arc<Reload>) -> Loaded {
    let reload = Arc::clone(reload);
    match tokio::task::spawn_blocking(move || reload()).await {
        Ok(loaded) => loaded,
        // The panic was reported where it happened. An empty list of faults leaves the configuration as it is.
        Err(_) => Err(Vec::new()),
    }
}
