//! The one door to shared memory. Modules that share take their atomics from here and nowhere
//! else, so that `tests/loom.rs` can compile the very same files against loom's atomics and try
//! every interleaving that the memory model allows.

pub use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering, fence},
};
