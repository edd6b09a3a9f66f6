#![no_main]

use std::sync::Arc;

libfuzzer_sys::fuzz_target!(
    init: {
        // A peer that hangs up must not end the process: Rust sees to it in its own `main`, which
        // this is not.
        signal_hook::flag::register(signal_hook::consts::SIGPIPE, Arc::default()).unwrap();
    },
    |data: &[u8]| bulla::fuzz::http(data)
);
