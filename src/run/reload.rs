//! Reads the configuration file again when it changes while the dashboard runs.
//!
//! A thread looks once a second at what the path leads to, as a hanging network drive must not stop the dashboard. So
//! it does not matter how the file changes (written in place, another one renamed over it, a link swapped above it), and
//! other files of the folder cost nothing. A file written in pieces is read once, [`QUIET`] after its last change. A
//! configuration equal to the one before is not reported.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self as std_mpsc, RecvTimeoutError};
use std::time::Duration;
use std::{fs, thread};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::config::{Config, Diagnostic};

const PERIOD: Duration = Duration::from_secs(1);
const QUIET: Duration = Duration::from_millis(200);

type Loaded = Result<Config, Vec<Diagnostic>>;

/// Reads the configuration again; called on a thread of its own.
pub type Reload = Box<dyn Fn() -> Result<Config, Vec<Diagnostic>> + Send + Sync>;

/// Reads the file when it has changed, or on request.
pub(super) struct Reloader {
    ask: mpsc::Sender<Ask>,
    loaded: mpsc::Receiver<Loaded>,
    _tasks: JoinSet<()>,
    /// Dropping it ends the thread that watches the file.
    _watching: Option<std_mpsc::Sender<()>>,
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
        let watching = known.path.clone().and_then(|path| watch(path, ask.clone()));
        let mut tasks = JoinSet::new();
        tasks.spawn(read_when_asked(asked, tell, Ok(known), Arc::new(reload)));
        Self { ask, loaded, _tasks: tasks, _watching: watching }
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

/// Starts the thread that watches the file; it ends when the sender is dropped, at the latest after its look at the file.
fn watch(path: PathBuf, ask: mpsc::Sender<Ask>) -> Option<std_mpsc::Sender<()>> {
    let (watching, end) = std_mpsc::channel::<()>();
    let goes_on = move |after| end.recv_timeout(after) == Err(RecvTimeoutError::Timeout);
    let mut known = state(&path);
    let watch = move || {
        while goes_on(PERIOD) {
            let mut now = state(&path);
            if now == known {
                continue;
            }
            while now != known && goes_on(QUIET) {
                known = std::mem::replace(&mut now, state(&path));
            }
            // If the channel is full, the file is about to be read anyway.
            let _ = ask.try_send(Ask::Changed);
        }
    };
    let started = thread::Builder::new().name("config".to_owned()).spawn(watch);
    started.inspect_err(|error| tracing::warn!(%error, "the configuration file is not watched")).ok()?;
    Some(watching)
}

type State = (u64, u64, u64, [i64; 4]);

/// Which file the path leads to, and when and how it changed last; `None` if there is none.
fn state(path: &Path) -> Option<State> {
    let file = fs::metadata(path).ok()?;
    Some((file.dev(), file.ino(), file.size(), [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()]))
}

async fn read_when_asked(
    mut asked: mpsc::Receiver<Ask>,
    tell: mpsc::Sender<Loaded>,
    mut known: Loaded,
    reload: Arc<Reload>,
) {
    while let Some(mut ask) = asked.recv().await {
        while let Ok(more) = asked.try_recv() {
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder with a file, reached as a `ConfigMap` of Kubernetes is: through a link that is swapped.
    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            fs::create_dir(folder.path("..v1")).unwrap();
            folder.write("..v1/pgwatch.yaml", "nodes: {}");
            symlink("..v1", folder.path("..data")).unwrap();
            symlink("..data/pgwatch.yaml", folder.path("pgwatch.yaml")).unwrap();
            folder
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.path(name), text).unwrap();
        }
    }

    fn other_files(folder: &Folder) {
        folder.write("notes", "1");
        folder.write("notes", "12");
        fs::remove_file(folder.path("notes")).unwrap();
    }

    fn in_place(folder: &Folder) {
        folder.write("pgwatch.yaml", "nodes: {a: {host: a}}");
    }

    /// Of the same size.
    fn renamed_over(folder: &Folder) {
        folder.write("new", "nodes: []");
        fs::rename(folder.path("new"), folder.path("pgwatch.yaml")).unwrap();
    }

    fn link_swapped(folder: &Folder) {
        fs::create_dir(folder.path("..v2")).unwrap();
        folder.write("..v2/pgwatch.yaml", "nodes: {}");
        symlink("..v2", folder.path("..new")).unwrap();
        fs::rename(folder.path("..new"), folder.path("..data")).unwrap();
    }

    fn removed(folder: &Folder) {
        fs::remove_file(folder.path("pgwatch.yaml")).unwrap();
    }

    #[test]
    fn every_way_to_change_the_file_is_seen_and_no_other_file() {
        type Change = fn(&Folder);
        let cases = [
            ("other files", other_files as Change, false),
            ("written in place", in_place, true),
            ("another file renamed over it", renamed_over, true),
            ("a link above it swapped", link_swapped, true),
            ("removed", removed, true),
        ];
        for (what, change, is_seen) in cases {
            let folder = Folder::new();
            let before = state(&folder.path("pgwatch.yaml"));
            change(&folder);
            assert_eq!(state(&folder.path("pgwatch.yaml")) != before, is_seen, "{what}");
        }
    }

    /// The file is read again by itself, once for a change in pieces; a request reports an equal configuration too.
    #[tokio::test]
    async fn a_changed_file_is_read_again() {
        let folder = Folder::new();
        let path = folder.path("pgwatch.yaml");
        let known = Config { path: Some(path.clone()), ..Config::empty(&crate::config::Environment::of_process()) };
        let read = {
            let known = known.clone();
            move || Ok(Config { cluster: fs::read_to_string(&path).ok(), ..known.clone() })
        };
        let mut reloader = Some(Reloader::start(known, Box::new(read)));
        let cluster = |loaded: Loaded| loaded.unwrap().cluster.unwrap();
        folder.write("pgwatch.yaml", "nodes: {a:");
        folder.write("pgwatch.yaml", "nodes: {a: {}}");
        assert_eq!(cluster(next(&mut reloader).await), "nodes: {a: {}}");
        link_swapped(&folder);
        assert_eq!(cluster(next(&mut reloader).await), "nodes: {}");
        reloader.as_ref().unwrap().now();
        assert_eq!(cluster(next(&mut reloader).await), "nodes: {}");
    }
}
