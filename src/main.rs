//! The `xarb` program: parse, dispatch, exit code. Everything else is in the library.

/// Slow lanes allocate a lot and in small pieces; hot ones not at all.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    xarb::cli::main()
}
