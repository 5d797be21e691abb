//! Where a plugin's memory comes from: first a piece that its linear memory begins with, then more of that.
//!
//! Growing changes what pages may be used for, the host changes it back for the next instance, and each time the kernel interrupts every
//! processor. Most calls need no more than the piece, of which only pages that are written to are memory at all.
#![expect(unsafe_code, reason = "an allocator is told which bytes are its own")]

use core::{alloc::Layout, arch::wasm32::memory_grow, mem::MaybeUninit, ptr::NonNull};

use talc::{
    base::{Talc, binning::Binning},
    cell::TalcSyncCell,
    source::Source,
    wasm::WasmBinning,
};

/// Bytes of the piece.
const FIRST_BYTES: usize = 512 << 10;
/// Bytes of a page of linear memory.
const PAGE: usize = 64 << 10;
/// Bytes that the allocator may need beside what is wanted of it, twice over.
const ASIDE: usize = 64;

#[global_allocator]
static HEAP: TalcSyncCell<Memory, WasmBinning> = TalcSyncCell::new_wasm(Memory::New);

static mut FIRST: [MaybeUninit<u8>; FIRST_BYTES] = [MaybeUninit::uninit(); FIRST_BYTES];

/// How much of it the allocator has.
#[derive(Debug)]
enum Memory {
    New,
    /// The piece.
    First,
    /// Linear memory up to there, too.
    Grown(NonNull<u8>),
}

// SAFETY: nothing here allocates.
unsafe impl Source for Memory {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        let end = match talc.source {
            Self::New => {
                talc.source = Self::First;
                // SAFETY: nobody else names it, and it is claimed once.
                return unsafe { talc.claim((&raw mut FIRST).cast(), FIRST_BYTES) }
                    .map(drop)
                    .ok_or(());
            }
            Self::First => None,
            Self::Grown(end) => Some(end),
        };
        let wanted = layout.size().saturating_add(layout.align()).saturating_add(ASIDE);
        // No more than that: to be refused more is what a host calls running out of memory.
        let pages = wanted.div_ceil(PAGE);
        let place = memory_grow::<0>(pages);
        if place == usize::MAX {
            return Err(());
        }
        let (begin, bytes) = ((place * PAGE) as *mut u8, pages * PAGE);
        // SAFETY: these pages were not there before, and whatever follows the last ones that were grown is the allocator's.
        let end = unsafe {
            match end.filter(|end| end.as_ptr() == begin) {
                Some(end) => Some(talc.extend(end, begin.wrapping_add(bytes))),
                None => talc.claim(begin, bytes),
            }
        };
        talc.source = Self::Grown(end.ok_or(())?);
        Ok(())
    }
}
