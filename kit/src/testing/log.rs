//! The log of a test, shown with it where it fails.

use tracing_subscriber::EnvFilter;

/// Writes to the test's own output what `RUST_LOG` asks for, else warnings and news, without a line for each request.
pub fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,access=off"));
    // Another part of the same test may have begun it.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_test_writer().try_init();
}
