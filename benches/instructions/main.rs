//! `make counts`, first half: the cost of a frame, a message and a file in instructions, blocks and bytes, as counted
//! by valgrind. Unlike times, the counts are the same on a busy machine, so that an increase by a tenth is a fault and
//! not noise.
//!
//! Counting starts when the state is ready and stops when the result is there; building the state is not counted. The
//! build is that of the tests (`cargo bench --profile dev`), so that nothing is compiled only for this: the figures
//! tell whether the work grew, not how long it takes. `benches/counts.rs` compares them with the kept ones.
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

/// A block counts if its callers show that it was allocated in the measured code; in this build, without inlining,
/// there are many callers.
const CALLERS: &str = "--num-callers=200";

main!(
    config = LibraryBenchmarkConfig::default()
        .tool(Callgrind::with_args(["--cache-sim=no"]))
        .tool(Dhat::with_args([CALLERS]));
    library_benchmark_groups = frames, messages, files
);
