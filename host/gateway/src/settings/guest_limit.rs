//! Bounds of one plugin, by the names that operators and authors write: `limits.step = "40ms"`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use sluice_sandbox::Limits;

use super::problem::quoted;
use super::value::{duration, size};

/// Something of which a plugin may use only so much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum GuestLimit {
    /// Linear memory of one instance.
    Memory,
    /// Answers at a time.
    Answers,
    /// Guest time: instantiating and `configure`.
    Configure,
    /// Of `start`.
    Start,
    /// Of a step.
    Step,
    /// Of a policy's hook.
    Hook,
    /// Of a filtered chunk.
    Window,
    /// Of a call about vectors.
    Embedding,
    /// Of all calls of an answer.
    Answer,
}

/// What a bound is counted in.
enum Unit {
    Bytes,
    Number,
    /// Milliseconds.
    Time,
}

/// Bounds by name, each within its range: bytes, milliseconds or a number.
pub(crate) type GuestLimits = BTreeMap<GuestLimit, u64>;

impl GuestLimit {
    const ALL: [Self; 9] = [
        Self::Memory,
        Self::Answers,
        Self::Configure,
        Self::Start,
        Self::Step,
        Self::Hook,
        Self::Window,
        Self::Embedding,
        Self::Answer,
    ];

    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Answers => "answers",
            Self::Configure => "configure",
            Self::Start => "start",
            Self::Step => "step",
            Self::Hook => "hook",
            Self::Window => "window",
            Self::Embedding => "embedding",
            Self::Answer => "answer",
        }
    }

    /// What it may be.
    fn range(self) -> RangeInclusive<u64> {
        match self {
            Self::Memory => 1 << 20..=Limits::MAX_MEMORY_BYTES as u64,
            Self::Answers => 1..=1_000_000,
            Self::Configure
            | Self::Start
            | Self::Step
            | Self::Hook
            | Self::Window
            | Self::Embedding => 1..=10_000,
            Self::Answer => 1..=600_000,
        }
    }

    fn unit(self) -> Unit {
        match self {
            Self::Memory => Unit::Bytes,
            Self::Answers => Unit::Number,
            Self::Configure
            | Self::Start
            | Self::Step
            | Self::Hook
            | Self::Window
            | Self::Embedding
            | Self::Answer => Unit::Time,
        }
    }

    fn parse(self, value: &serde_json::Value) -> Option<u64> {
        match self.unit() {
            Unit::Bytes => size::parse(value.as_str()?),
            Unit::Number => value.as_u64(),
            Unit::Time => Some(millis(duration::parse(value.as_str()?)?)),
        }
    }

    /// As an operator writes it: `"40ms"`, `"8MiB"`, `100`.
    pub(crate) fn text(self, value: u64) -> String {
        match self.unit() {
            Unit::Bytes => format!("\"{}\"", size::text(value)),
            Unit::Number => value.to_string(),
            Unit::Time => format!("\"{}\"", duration::text(Duration::from_millis(value))),
        }
    }

    /// How much of it there is within these limits; none is as much as there are places.
    pub(crate) fn of(self, limits: &Limits) -> Option<u64> {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        match self {
            Self::Memory => Some(count(limits.memory_bytes)),
            Self::Answers => limits.live_answers.map(count),
            Self::Configure => Some(millis(limits.configure)),
            Self::Start => Some(millis(limits.start)),
            Self::Step => Some(millis(limits.step)),
            Self::Hook => Some(millis(limits.hook)),
            Self::Window => Some(millis(limits.window)),
            Self::Embedding => Some(millis(limits.embedding)),
            Self::Answer => Some(millis(limits.answer)),
        }
    }

    /// Makes it as much as that.
    pub(crate) fn put(self, limits: &mut Limits, value: u64) {
        let time = Duration::from_millis(value);
        let count = usize::try_from(value).unwrap_or(usize::MAX);
        match self {
            Self::Memory => limits.memory_bytes = count,
            Self::Answers => limits.live_answers = Some(count),
            Self::Configure => limits.configure = time,
            Self::Start => limits.start = time,
            Self::Step => limits.step = time,
            Self::Hook => limits.hook = time,
            Self::Window => limits.window = time,
            Self::Embedding => limits.embedding = time,
            Self::Answer => limits.answer = time,
        }
    }
}

/// Reads a table of them. What is wrong is said in words that go on after the name of the table.
pub(crate) fn read(table: &serde_json::Value) -> Result<GuestLimits, String> {
    let one = |(name, value): (&String, &serde_json::Value)| {
        let limit = GuestLimit::ALL.into_iter().find(|limit| limit.name() == name);
        let limit = limit.ok_or_else(|| {
            let known: Vec<_> = GuestLimit::ALL.into_iter().map(GuestLimit::name).collect();
            format!("knows no {}; there are {}", quoted(name), known.join(", "))
        })?;
        let range = limit.range();
        let within = limit.parse(value).filter(|value| range.contains(value));
        within.map(|value| (limit, value)).ok_or_else(|| {
            let (least, most) = (limit.text(*range.start()), limit.text(*range.end()));
            format!("has for {name} something else than {least} to {most}")
        })
    };
    table.as_object().into_iter().flatten().map(one).collect()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_put_and_found_again() {
        let written = json!({
            "memory": "8MiB", "answers": 100, "configure": "1ms", "start": "2ms", "step": "3ms",
            "hook": "4ms", "window": "5ms", "embedding": "6ms", "answer": "1m30s",
        });
        let read = read(&written).unwrap();
        let mut limits = Limits::default();
        for (limit, value) in &read {
            limit.put(&mut limits, *value);
        }

        assert_eq!(read.len(), GuestLimit::ALL.len());
        for limit in GuestLimit::ALL {
            assert_eq!(limit.of(&limits), read.get(&limit).copied(), "{limit:?}");
            let text: serde_json::Value = serde_json::from_str(&limit.text(read[&limit])).unwrap();
            assert_eq!(text, written[limit.name()]);
        }
    }

    #[test]
    fn what_is_out_of_range_is_told_with_the_range() {
        for (table, wrong) in [
            (
                json!({ "memory": "64MiB" }),
                r#"has for memory something else than "1MiB" to "16MiB""#,
            ),
            (json!({ "step": 40 }), r#"has for step something else than "1ms" to "10s""#),
            (json!({ "answers": 0 }), "has for answers something else than 1 to 1000000"),
        ] {
            assert_eq!(read(&table), Err(wrong.to_owned()));
        }
        let unknown = read(&json!({ "stack": "1MiB" })).unwrap_err();
        assert!(unknown.starts_with(r#"knows no "stack"; there are memory, answers"#), "{unknown}");
    }
}
