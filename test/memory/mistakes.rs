//! An addon that makes the mistake that SENDFILE_NATIVE_MISTAKE names while it is loaded. A tool that does not report it
//! would report nothing of the package's addon either. Built by `rustc` alone, as the addon is for the same tool.
//!
//! # Safety
//! There is none: each mistake is undefined behaviour, or a leak, on purpose.

use std::alloc::{alloc, dealloc, Layout};
use std::ffi::c_void;
use std::hint::black_box;
use std::thread;

const LAYOUT: Layout = Layout::new::<[u64; 64]>();

/// What Node calls when it has loaded an addon.
#[no_mangle]
pub extern "C" fn napi_register_module_v1(_env: *mut c_void, exports: *mut c_void) -> *mut c_void {
    match std::env::var("SENDFILE_NATIVE_MISTAKE").as_deref() {
        Ok("freed") => read_freed(),
        Ok("undefined") => branch_on_undefined(),
        Ok("leak") => leak(),
        Ok("race") => race(),
        other => panic!("no such mistake: {other:?}"),
    }
    exports
}

#[inline(never)]
fn read_freed() {
    // SAFETY: the layout is not empty, and the block is freed with the layout that it was made with.
    let block = black_box(unsafe { alloc(LAYOUT) });
    unsafe { dealloc(block, LAYOUT) };
    // SAFETY: none, the block has been freed.
    black_box(unsafe { block.read_volatile() });
}

#[inline(never)]
fn branch_on_undefined() {
    // SAFETY: the layout is not empty.
    let block = black_box(unsafe { alloc(LAYOUT) });
    // SAFETY: none, nothing was written there.
    if black_box(unsafe { block.read_volatile() }) == 7 {
        black_box(std::process::id());
    }
    // SAFETY: the block was made with this layout.
    unsafe { dealloc(block, LAYOUT) };
}

#[inline(never)]
fn leak() {
    for _ in 0..8 {
        black_box(Box::leak(Box::new([1_u64; 64])));
    }
}

static mut SHARED: u64 = 0;

#[inline(never)]
fn race() {
    let add = || {
        for _ in 0..1000 {
            // SAFETY: none, another thread does the same.
            unsafe { (&raw mut SHARED).write_volatile((&raw const SHARED).read_volatile() + 1) };
        }
    };
    let other = thread::spawn(add);
    add();
    other.join().expect("it only adds");
}
