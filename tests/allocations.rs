//! The hot path allocates nothing: a counting allocator watches every hop from the frame to the
//! order bytes, after the buffers have grown.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[path = "../benches/common/path.rs"]
#[allow(dead_code)]
mod path;

use path::{Case, HotPath};
use xarb::host::HostClock;

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator with the same arguments; the counter beside it
// is a plain cell of this thread that needs no allocation and no drop.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn no_hop_from_frame_to_order_allocates() {
    for case in Case::ALL {
        let mut path = HotPath::new(case, HostClock::new());
        let mut orders = 0;
        for (round, frame) in path.frames(400).into_iter().enumerate() {
            let before = COUNT.with(Cell::get);
            let (size, _) = path.run(&frame);
            let allocated = COUNT.with(Cell::get) - before;
            path.rest();
            orders += u64::from(size > 0);
            // The first rounds let reused buffers grow to their size.
            assert!(round < 100 || allocated == 0, "{case:?}: {allocated} allocations in round {round}");
        }
        assert_eq!(orders, 400, "{case:?}: every frame makes an order");
    }
}
