//! `cargo sluice up`: builds everything and runs a gateway to try out, with a small real model.
//!
//! Three processes at most: this one, the gateway, the model's server. The first ends the others.

pub(crate) mod data;
mod gateway;
mod model;
mod port;
mod provider;
mod signals;

use std::path::Path;

use tokio::sync::oneshot;

use self::data::{DataDirectory, Running};
use self::gateway::{Gateway, Launch, Ready};
use self::model::Model;
use self::signals::Signals;
use crate::prerequisite::{self, Need};
use crate::problem::Problem;
use crate::workspace::Workspace;
use crate::{build, environment, say};

/// The variable that says which model a chat begins with.
const DEFAULT_MODEL: &str = "SLUICE_LLM__DEFAULT_MODEL";

/// How to run it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The port on 127.0.0.1 to listen on.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Do without the small demonstration model: only `echo` answers unless a key is set.
    #[arg(long)]
    no_local_model: bool,
}

/// Builds, starts, and stays until it is told to stop.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Problem> {
    let here = Path::new(".");
    let sluice = Workspace::of_sluice(here)?.ok_or_else(|| {
        Problem::usage("this is no checkout of Sluice")
            .mend("run `cargo sluice up` inside one")
            .mend("sluice serve (an installed gateway)")
    })?;
    let data = DataDirectory::open(&sluice.root)?;
    let _lock = data.lock()?;
    port::must_be_free(arguments.port)?;
    prerequisite::check(here, Need::Everything)?;

    // Fetching takes the network and building takes the processor, so both at once.
    let model = Model::choose(&sluice, arguments.no_local_model);
    build::components(&sluice)?;
    let binary = build::gateway(&sluice, false)?;

    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Problem::internal("no runtime").because(source))?
        .block_on(serve(&sluice, &data, arguments.port, &binary, model))
}

/// Runs gateway and model until a signal comes or the gateway ends.
async fn serve(
    sluice: &Workspace,
    data: &DataDirectory,
    port: u16,
    binary: &Path,
    mut model: Model,
) -> Result<(), Problem> {
    let mut signals = Signals::listen()?;
    model.settle();
    let mut variables = model.variables();
    variables.insert("JWT_SECRET".to_owned(), data.secret()?);
    variables.insert("SLUICE_SERVER__BIND".to_owned(), format!("127.0.0.1:{port}"));
    let default = environment::variable(DEFAULT_MODEL).or_else(|| model.default_id());
    variables.extend(default.map(|id| (DEFAULT_MODEL.to_owned(), id)));
    let log = data.file("gateway.log");
    let launch = Launch {
        binary,
        root: &sluice.root,
        config: Path::new("config/dev.toml"),
        variables: &variables,
        log: &log,
    };
    let about = model.about();
    let late = model.is_being_fetched();
    let (ready, model_ready) = oneshot::channel();
    let (stop_model, stopped) = oneshot::channel();
    let gateway = async {
        let start = async {
            let token = gateway::token(&launch).await?;
            let gateway = Gateway::start(&launch).await?;
            if !late {
                // A matter of two seconds. It says itself when it fails.
                model_ready.await.ok();
            }
            Ok((gateway, token))
        };
        let (gateway, token) = tokio::select! {
            started = start => started?,
            () = signals.any() => return Ok(()),
        };
        let Ready { address, path_prefix, .. } = &gateway.ready;
        let url = format!("http://{address}{path_prefix}");
        welcome(&gateway.ready, &url, &token, &about, &log);
        data.announce(&Running { pid: std::process::id(), url, token })?;
        watch(gateway, signals, &log).await
    };
    let gateway = async {
        let outcome = gateway.await;
        // The model outlives the gateway, so that running answers can end.
        drop(stop_model);
        outcome
    };
    let (outcome, ()) = tokio::join!(gateway, model.serve(sluice, data, ready, stopped));
    outcome
}

/// Stays until a signal comes and the gateway has ended; a second signal does not wait for it.
async fn watch(mut gateway: Gateway, mut signals: Signals, log: &Path) -> Result<(), Problem> {
    let by_itself = tokio::select! {
        () = signals.any() => None,
        ended = gateway.ended() => Some(ended),
    };
    if let Some(ended) = by_itself {
        let how = ended.map_or_else(|| "unknown".to_owned(), |status| status.to_string());
        return Err(Problem::internal(format!("the gateway ended by itself ({how})"))
            .because(data::last_lines(log, 20)));
    }
    say::note("stopping; once more Ctrl-C cuts running answers");
    gateway.stop();
    let mut in_a_hurry = false;
    tokio::select! {
        _ = gateway.ended() => {}
        () = signals.any() => in_a_hurry = true,
    }
    if in_a_hurry {
        gateway.stop();
        gateway.ended().await;
    }
    say::note("stopped");
    Ok(())
}

fn welcome(ready: &Ready, url: &str, token: &str, about: &[String], log: &Path) {
    say::line("");
    say::line(&format!("Sluice answers at  http://{}", ready.address));
    say::line(&format!("Chat               {url}/#token={token}"));
    say::line("In this terminal   cargo sluice chat");
    say::line(&format!("Models             {}", ready.models.join(", ")));
    for line in about {
        say::line(&format!("                   {line}"));
    }
    say::line(&format!("Log                {}", log.display()));
    say::line("Ctrl-C stops it.");
}
