//! `make counts`, first half: what a frame, a message and a file cost in instructions, blocks and bytes, as valgrind
//! counts them. Unlike times they are the same on a busy machine, so that a tenth more of them is a fault and no noise.
//!
//! Each is counted from where the state is ready to where the result is there; making the state is not counted. What
//! is counted is the build of the tests (`cargo bench --profile dev`), so that nothing is compiled for it alone: the
//! figures say whether the work grew, not how long it takes. `benches/counts.rs` compares them with those kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement that fails says so and ends")]
#![allow(clippy::disallowed_methods, clippy::unnecessary_wraps, reason = "what the macros of gungraun write")]
#![allow(unreachable_pub, missing_debug_implementations, reason = "a program of its own, not a library")]

mod draw;
mod read;
#[path = "../../tests/scene/mod.rs"]
mod scene;
mod update;

use draw::frames;
use gungraun::{Callgrind, Dhat, LibraryBenchmarkConfig, main};
use read::files;
use update::messages;

/// A block counts where its callers show that it was allocated within what is measured; in this build, where nothing is
/// inlined, they are many.
const CALLERS: &str = "--num-callers=200";

main!(
    config = LibraryBenchmarkConfig::default()
        .tool(Callgrind::with_args(["--cache-sim=no"]))
        .tool(Dhat::with_args([CALLERS]));
    library_benchmark_groups = frames, messages, files
);
