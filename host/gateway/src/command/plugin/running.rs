//! `sluice plugin list --url`: the plugins of a gateway that runs, and how they fare.

use std::process::ExitCode;

use serde_json::Value;
use sluice_upstream::Visit;

use super::super::doctor::{token, visitor};
use super::super::{Exit, block_on, chain, print, tell};

pub(super) fn list(url: &str, written: Option<&str>) -> Result<(), ExitCode> {
    let token = token(written);
    let visitor = visitor(url, token.as_deref())?;
    let answer = block_on(visitor.get("/admin/plugins"))?.map_err(|error| {
        tell(format_args!("{url}: {}", chain(&error)));
        ExitCode::from(Exit::Unavailable)
    })?;
    let plugins = read(&answer).map_err(|why| {
        tell(format_args!("{url}: {}: {why}", answer.status));
        ExitCode::from(Exit::Unavailable)
    })?;
    for plugin in &plugins {
        print(line(plugin));
    }
    Ok(())
}

fn read(answer: &Visit) -> Result<Vec<Value>, &'static str> {
    match answer.status {
        200 => {
            let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let plugins = body["plugins"].as_array().cloned();
            plugins.ok_or("that is not what a gateway answers")
        }
        401 => Err("an operator's token is needed: --token or SLUICE_TOKEN"),
        403 => Err("the token is no operator's (auth.admin_roles), or a policy says no"),
        404 => Err("no gateway at this path; is server.path_prefix in the address?"),
        429 => Err("asked too often (limits.admin)"),
        _ => Err("that is not what a gateway answers"),
    }
}

/// What it is, whether it is asked, and what it has used.
fn line(plugin: &Value) -> String {
    let text = |name: &str| plugin[name].as_str().unwrap_or_default();
    let head = format!("{:<16}  ", text("id"));
    if text("state") == "off" {
        let asks = plugin["asks_for"].as_array().into_iter().flatten();
        let asks: Vec<&str> = asks.filter_map(Value::as_str).collect();
        return format!("{head}off; these lines would grant what it asks for: {}", asks.join("; "));
    }
    let used = &plugin["used"];
    let number = |name: &str| used[name].as_u64().unwrap_or_default();
    let seconds = used["seconds"].as_f64().unwrap_or_default();
    let memory = number("peak_memory_bytes").div_ceil(1 << 10);
    format!(
        "{head}{:<8}  {:<5}  {} calls, {} failed, {seconds:.3} s, {memory} KiB at most",
        text("kind"),
        state(plugin),
        number("calls"),
        number("failed"),
    )
}

/// Whether it is asked: of a provider, for each of its models.
fn state(plugin: &Value) -> String {
    let models = plugin["models"].as_array().map(Vec::as_slice).unwrap_or_default();
    let down = models.iter().filter(|model| model["state"] == "down").count();
    match plugin["state"].as_str() {
        Some(state) => state.to_owned(),
        None if models.is_empty() => String::new(),
        None if down == 0 => "asked".to_owned(),
        None => format!("{down} of {} models down", models.len()),
    }
}
