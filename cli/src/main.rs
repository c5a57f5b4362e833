//! The `platform` command.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if cli::completed(std::env::args_os()) {
        return ExitCode::SUCCESS;
    }
    cli::run(std::env::args_os(), cli::Context::of_process())
}
