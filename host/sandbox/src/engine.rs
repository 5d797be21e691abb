//! How wasmtime is set up: what a component may contain, how it is compiled, and the pool its instances come from.

use std::num::NonZeroUsize;

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    Strategy,
};

use crate::limits::Limits;

/// Slots on top of the answers, for components on trial while every answer is taken.
const SPARE_SLOTS: u32 = 4;

/// Slots for calls of policies' hooks, which take microseconds each.
pub(crate) const HOOK_SLOTS: u32 = 64;

/// Slots for filters of answers, for so many answers: one each. A chain of several takes more, and then fewer answers have room.
pub(crate) fn filter_slots(max_answers: u32) -> u32 {
    max_answers
}

/// Core instances of one component. A small guest of the usual toolchain has three.
const CORE_INSTANCES: u32 = 8;

/// Tables of one component. A small guest of the usual toolchain has two.
const TABLES: u32 = 4;

/// Stack of the guest; a recursion past it traps.
const GUEST_STACK_BYTES: usize = 512 << 10;

/// Stack of a call: the guest's, and as much again for the host below it.
const CALL_STACK_BYTES: usize = 2 * GUEST_STACK_BYTES;

/// Frames that a backtrace keeps.
const BACKTRACE_FRAMES: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");

/// An engine whose pool holds so many answers.
pub(crate) fn engine(max_answers: u32) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    language(&mut config);
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        // Guests never await: without the machinery a call costs a quarter.
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK_BYTES)
        .async_stack_size(CALL_STACK_BYTES)
        .wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES))
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(max_answers)));
    Engine::new(&config)
}

/// Leaves out of the language what no toolchain of ours needs. Features that the build lacks are off by themselves.
fn language(config: &mut Config) {
    config
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .shared_memory(false);
}

/// The pool: a ceiling, and memory that is used again.
fn pool(max_answers: u32) -> PoolingAllocationConfig {
    let policies = filter_slots(max_answers).saturating_add(HOOK_SLOTS);
    let slots = max_answers.saturating_add(policies).saturating_add(SPARE_SLOTS);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_memories(slots)
        .total_stacks(slots)
        // So many that only whole answers can run out, whatever a component is made of.
        .total_core_instances(slots.saturating_mul(CORE_INSTANCES))
        .max_core_instances_per_component(CORE_INSTANCES)
        .total_tables(slots.saturating_mul(TABLES))
        .max_tables_per_component(TABLES)
        .max_memories_per_component(1)
        .max_memory_size(Limits::MAX_MEMORY_BYTES)
        .total_gc_heaps(1)
        .max_unused_warm_slots((slots / 4).max(1))
        .decommit_batch_size(16)
        .linear_memory_keep_resident(keep_resident())
        .table_keep_resident(16 << 10)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Bytes of a memory that stay with its slot. With the kernel's page scan only touched pages are cleared, without it all of them.
fn keep_resident() -> usize {
    if PoolingAllocationConfig::is_pagemap_scan_available() { 1 << 20 } else { 128 << 10 }
}
