//! How a call into a guest fails, and how wasmtime's errors are told apart. Whose fault it is follows from the variant.

use std::error::Error;

use sluice_chat::event::ProviderError;
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};

use crate::guest::Guest;
use crate::plain::plain;

/// Bytes kept of a backtrace: its function names are the guest's own words.
const BACKTRACE_BYTES: usize = 4 << 10;

/// Which of its times a guest used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// That of one call.
    Call,
    /// That of all calls of one answer.
    Answer,
}

/// Why a call into a plugin gave nothing. The answer is over after any of them, its instance gone.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Every slot is taken, of the pool or of this plugin. Nothing ran; a later try may find room. No fault of the plugin.
    #[error("no room for another answer")]
    Busy,
    /// The plugin refused its settings, as it did not when it was loaded. Its own words, cleaned.
    #[error("the plugin refuses its settings")]
    Refused(#[source] ProviderError),
    /// The guest ran too long and was stopped. The plugin's fault; may be tried with another.
    #[error("the plugin ran out of time ({0:?} budget)")]
    TimedOut(Budget),
    /// The guest asked for more memory than it may have and gave up. The plugin's fault, or that of a very long conversation.
    #[error("the plugin ran out of memory")]
    OutOfMemory,
    /// The guest crashed. The plugin's fault.
    #[error("the plugin crashed: {message}")]
    Trapped {
        /// Sort of trap: `wasm unreachable instruction executed`.
        message: String,
        /// Where, for operators: one frame after the other, names as the plugin's author chose them. Never for clients.
        backtrace: String,
    },
    /// More events or bytes than one call or one answer may yield. The plugin's fault; the output was thrown away.
    #[error("the plugin said too much")]
    TooMuchOutput,
    /// What came back is not what the contract describes. The plugin's fault.
    #[error("the plugin broke the contract")]
    Malformed(#[source] Box<dyn Error + Send + Sync>),
    /// The answer is over: an earlier call failed, was dropped half-way or said `Done` or `Fail`. The caller's fault.
    #[error("the answer is over")]
    Poisoned,
}

impl CallError {
    /// Tells what wasmtime's error means, with what the store saw meanwhile.
    pub(crate) fn new(guest: &Guest, error: wasmtime::Error) -> Self {
        if error.is::<PoolConcurrencyLimitError>() {
            return Self::Busy;
        }
        let trap = error.downcast_ref::<Trap>();
        if let (Some(Trap::Interrupt), Some(budget)) = (trap, guest.clock.exhausted()) {
            return Self::TimedOut(budget);
        }
        if guest.growth.was_refused() {
            return Self::OutOfMemory;
        }
        if let Some(trap) = trap {
            let backtrace = error.downcast_ref::<WasmBacktrace>().map(|trace| format!("{trace}"));
            return Self::Trapped {
                message: trap.to_string(),
                backtrace: plain(&backtrace.unwrap_or_default(), BACKTRACE_BYTES),
            };
        }
        if is_hostcall_fuel(&error) {
            return Self::TooMuchOutput;
        }
        Self::Malformed(error.into_boxed_dyn_error())
    }
}

/// Whether the guest handed over more than `Limits::step_bytes`. Wasmtime keeps the error's type to itself; a test with a
/// real guest holds these words.
fn is_hostcall_fuel(error: &wasmtime::Error) -> bool {
    error.chain().any(|cause| cause.to_string().contains("fuel allocated for hostcalls"))
}
