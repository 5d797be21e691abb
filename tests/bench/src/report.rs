//! The report: each row with its goal, its floor and what was seen, as a table and as JSON.

use std::{fmt, fs};

use serde_json::{Value, json};

use crate::{percentile::percentile, row::Length};

/// What a row should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// Shown only so that others can be understood.
    None,
}

/// One figure, once a round.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) goal: Goal,
    /// The same of the floor, where there is one.
    pub(crate) floor: Vec<f64>,
    pub(crate) seen: Vec<f64>,
}

impl Row {
    pub(crate) fn new(name: &str, unit: &str, goal: Goal, seen: Vec<f64>) -> Self {
        Self { name: name.to_owned(), unit: unit.to_owned(), goal, floor: Vec::new(), seen }
    }

    pub(crate) fn beside(self, floor: Vec<f64>) -> Self {
        Self { floor, ..self }
    }
}

/// All rows of a run.
#[derive(Debug)]
pub(crate) struct Report {
    machine: String,
    length: Length,
    rows: Vec<(&'static str, Row)>,
}

impl Report {
    pub(crate) fn begin(length: Length) -> Self {
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let names: Vec<_> =
            processors.lines().filter_map(|line| line.strip_prefix("model name")).collect();
        let name =
            names.first().map_or("unknown", |name| name.trim_start_matches([' ', '\t', ':']));
        let machine = format!("{} x {name}, load {} at the start", names.len(), load());
        Self { machine, length, rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, group: &'static str, rows: Vec<Row>) {
        self.rows.extend(rows.into_iter().map(|row| (group, row)));
    }

    pub(crate) fn json(&self) -> Value {
        let rows: Vec<_> = self.rows.iter().map(|(group, row)| entry(group, row)).collect();
        json!({
            "machine": self.machine,
            "load_at_end": load(),
            "quick": self.length == Length::Quick,
            "rows": rows,
        })
    }
}

/// Processes that wanted to run, over the last minute: what else the machine had to do.
fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

fn entry(group: &str, row: &Row) -> Value {
    let (goal, met) = match row.goal {
        Goal::AtMost(most) => (json!({ "at_most": most }), Some(median(&row.seen) <= most)),
        Goal::AtLeast(least) => (json!({ "at_least": least }), Some(median(&row.seen) >= least)),
        Goal::None => (Value::Null, None),
    };
    let ratio = median(&row.seen) / median(&row.floor);
    json!({
        "group": group,
        "row": row.name,
        "unit": row.unit,
        "goal": goal,
        "met": met,
        "seen": { "median": median(&row.seen), "min": least(&row.seen), "max": most(&row.seen), "rounds": row.seen },
        "floor": (!row.floor.is_empty()).then(|| json!({ "median": median(&row.floor), "rounds": row.floor })),
        "ratio": (!row.floor.is_empty()).then_some(ratio),
    })
}

fn median(values: &[f64]) -> f64 {
    percentile(&mut values.to_vec(), 0.5)
}

fn least(values: &[f64]) -> f64 {
    percentile(&mut values.to_vec(), 0.0)
}

fn most(values: &[f64]) -> f64 {
    percentile(&mut values.to_vec(), 1.0)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        writeln!(
            f,
            "| Row | Goal | Floor | Seen: median (min to max) | Met |\n|---|---|---|---|---|"
        )?;
        for (group, row) in &self.rows {
            let Row { name, unit, goal, floor, seen } = row;
            let goal_text = match goal {
                Goal::AtMost(most) => format!("≤ {most}"),
                Goal::AtLeast(least) => format!("≥ {least}"),
                Goal::None => "–".to_owned(),
            };
            let met = match goal {
                Goal::AtMost(most) => {
                    if median(seen) <= *most {
                        "yes"
                    } else {
                        "no"
                    }
                }
                Goal::AtLeast(least) => {
                    if median(seen) >= *least {
                        "yes"
                    } else {
                        "no"
                    }
                }
                Goal::None => "",
            };
            let floor =
                if floor.is_empty() { "–".to_owned() } else { format!("{:.2}", median(floor)) };
            let (middle, low, high) = (median(seen), least(seen), most(seen));
            writeln!(
                f,
                "| {group}: {name} | {goal_text} | {floor} | {middle:.2} ({low:.2} to {high:.2}) {unit} | {met} |"
            )?;
        }
        Ok(())
    }
}
