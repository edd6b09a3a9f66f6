#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bulla::fuzz::signature(data));
