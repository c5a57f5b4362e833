//! Header rules: no field that a client sends reaches a service in the place of one of the gateway's own.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|lines: &str| gateway::fuzzing::headers(lines));
