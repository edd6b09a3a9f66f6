#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bulla::fuzz::invite(data));
