//! The arguments of the command line.

use crate::fault::TRIALS;

/// Minutes without a fault, in which no false alarm is allowed.
const MINUTES: u64 = 10;
/// Trials in parallel: their servers sleep most of the time.
const LANES: usize = 8;

pub struct Arguments {
    words: Vec<String>,
    pub trials: usize,
    pub lanes: usize,
    pub minutes: u64,
    pub seed: u64,
    pub list: bool,
}

impl Arguments {
    pub fn of_program() -> Self {
        let mut asked = Self {
            words: Vec::new(),
            trials: TRIALS,
            lanes: LANES,
            minutes: MINUTES,
            seed: u64::from(fastrand::u32(..)),
            list: false,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let value = arguments.next().and_then(|value| value.parse::<u64>().ok());
                value.unwrap_or_else(|| panic!("{argument} wants a number"))
            };
            match argument.as_str() {
                "--trials" => asked.trials = number().max(1) as usize,
                "--lanes" => asked.lanes = number().max(1) as usize,
                "--minutes" => asked.minutes = number().max(1),
                "--seed" => asked.seed = number(),
                "--list" => asked.list = true,
                // From cargo.
                "--bench" => {}
                _ => asked.words.push(argument),
            }
        }
        asked
    }

    /// True if a fault of this name is selected.
    pub fn names(&self, name: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| name.contains(word.as_str()))
    }

    /// True for a complete run, whose table is kept.
    pub fn is_whole(&self) -> bool {
        self.words.is_empty() && self.trials >= TRIALS && self.minutes >= MINUTES
    }
}
