//! Documents of services: any text is bound or refused, and what is bound has operations that can be published.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| gateway::fuzzing::document(text));
