//! `cargo sluice up`: builds everything and runs a gateway to try out, with a small real model.
//!
//! Three processes at most: this one, the gateway, the model's server. The first ends the others.

pub(crate) mod data;
mod gateway;
mod port;
mod provider;

use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use self::data::{DataDirectory, Running};
use self::gateway::{Gateway, Launch, Ready};
use self::provider::{Provider, Variables};
use crate::fetch::{self, Installation};
use crate::local_model::{self, ReservedPort, Server};
use crate::prerequisite::{self, Need};
use crate::problem::Problem;
use crate::workspace::Workspace;
use crate::{build, environment, say};

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
    let binary = build::gateway(&sluice)?;

    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Problem::internal("no runtime").because(source))?
        .block_on(serve(&sluice, &data, arguments.port, &binary, model))
}

/// Where answers come from, besides `echo`.
#[derive(Debug)]
enum Model {
    /// A provider from the environment, by variables that are to be added.
    Real { id: String, variables: Variables },
    /// The demonstration model, still being fetched or there.
    Local { fetching: Option<Installation<'static>>, port: ReservedPort },
    /// None; why.
    OnlyEcho(String),
}

impl Model {
    fn choose(sluice: &Workspace, without_local: bool) -> Self {
        match provider::in_environment(&environment::variables()) {
            Provider::Named(id) => return Self::Real { id, variables: Variables::new() },
            Provider::Key(variables) => {
                return Self::Real { id: "openai".to_owned(), variables };
            }
            Provider::None => {}
        }
        if without_local {
            return Self::OnlyEcho("--no-local-model".to_owned());
        }
        let packages = local_model::packages_directory(sluice);
        let started = fetch::start(local_model::PACKAGES, &packages).and_then(|fetching| {
            let port = ReservedPort::take()
                .map_err(|source| Problem::internal("no free port").because(source))?;
            Ok((fetching, port))
        });
        match started {
            Ok((fetching, port)) => {
                if fetching.is_some() {
                    say::note(&format!("fetching {}", local_model::PACKAGES.what));
                }
                Self::Local { fetching, port }
            }
            Err(problem) => Self::OnlyEcho(problem.to_string()),
        }
    }

    fn is_being_fetched(&self) -> bool {
        matches!(self, Self::Local { fetching: Some(_), .. })
    }

    /// What the gateway must be told of it.
    fn variables(&self) -> Variables {
        match self {
            Self::Real { variables, .. } => variables.clone(),
            Self::Local { port, .. } => provider::local(port.port()),
            Self::OnlyEcho(_) => Variables::new(),
        }
    }
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
    settle(&mut model);
    let mut variables = model.variables();
    variables.insert("JWT_SECRET".to_owned(), data.secret()?);
    variables.insert("SLUICE_SERVER__BIND".to_owned(), format!("127.0.0.1:{port}"));
    if let Some(default) = default_model(&model) {
        variables.insert("SLUICE_LLM__DEFAULT_MODEL".to_owned(), default);
    }
    let log = data.file("gateway.log");
    let launch = Launch {
        binary,
        root: &sluice.root,
        config: Path::new("config/dev.toml"),
        variables: &variables,
        log: &log,
    };
    let about = about(&model);
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
    let (outcome, ()) = tokio::join!(gateway, model_server(sluice, data, model, ready, stopped));
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

/// Finishes a download that ended while the build ran.
fn settle(model: &mut Model) {
    let Model::Local { fetching, .. } = model else { return };
    let over = match fetching.as_mut().map(Installation::is_over) {
        Some(Ok(true)) => fetching.take().map(Installation::finish),
        Some(Err(problem)) => Some(Err(problem)),
        Some(Ok(false)) | None => None,
    };
    if let Some(Err(problem)) = over {
        *model = Model::OnlyEcho(problem.to_string());
    }
}

/// Which model a chat begins with, when it is not what the configuration says.
fn default_model(model: &Model) -> Option<String> {
    match model {
        Model::Real { id, .. } if !id.is_empty() => Some(id.clone()),
        Model::Local { fetching: None, .. } => Some(provider::LOCAL_ID.to_owned()),
        Model::Real { .. } | Model::Local { fetching: Some(_), .. } | Model::OnlyEcho(_) => None,
    }
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

/// What there is to say about the models, in lines.
fn about(model: &Model) -> Vec<String> {
    let mut lines = match model {
        Model::Real { .. } => return Vec::new(),
        Model::Local { fetching, .. } => {
            let local = provider::LOCAL_ID;
            let mut lines = vec![format!(
                "`{local}` is SmolLM2-135M, a tiny demonstration model on this machine: real, and often wrong"
            )];
            if fetching.is_some() {
                lines.push("it is still being fetched; `echo` answers meanwhile".to_owned());
            }
            lines
        }
        Model::OnlyEcho(why) => vec![format!("only `echo` answers ({why})")],
    };
    lines.push(
        "a real one: OPENAI_API_KEY=… cargo sluice up, or, for any vendor of that dialect,"
            .to_owned(),
    );
    lines.push("LLM_PROVIDER_1_{ID,NAME,TYPE=openai,ENDPOINT,API_KEY,MODEL}".to_owned());
    lines
}

/// Brings the model's server up and keeps it until `stop`; says what becomes of it.
async fn model_server(
    sluice: &Workspace,
    data: &DataDirectory,
    model: Model,
    ready: oneshot::Sender<()>,
    mut stop: oneshot::Receiver<()>,
) {
    let Model::Local { fetching, port } = model else { return };
    let log = data.file("local-model.log");
    let late = fetching.is_some();
    let brought = tokio::select! {
        brought = bring(sluice, fetching, port, &log) => brought,
        _ = &mut stop => return,
    };
    let mut server = match brought {
        Ok(server) => server,
        Err(problem) => return say::note(&format!("{problem}; echo still answers")),
    };
    // Whoever waits for it waits no more.
    drop(ready);
    if late {
        say::line(&format!(
            "The demonstration model answers now: choose `{}`.",
            provider::LOCAL_ID
        ));
    }
    tokio::select! {
        () = server.ended() => {
            say::note("the demonstration model's server has ended; echo still answers");
        }
        _ = &mut stop => server.stop().await,
    }
}

async fn bring(
    sluice: &Workspace,
    fetching: Option<Installation<'static>>,
    port: ReservedPort,
    log: &Path,
) -> Result<Server, Problem> {
    if let Some(mut fetching) = fetching {
        fetching.show();
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        while !fetching.is_over()? {
            tick.tick().await;
        }
        fetching.finish()?;
    }
    let log = data::new_log(log).map_err(|source| {
        Problem::internal("the demonstration model's log cannot be written").because(source)
    })?;
    Server::start(sluice, port, log).await
}

/// The signals that end it: Ctrl-C, a polite kill, a closed terminal.
#[derive(Debug)]
struct Signals([Signal; 3]);

impl Signals {
    fn listen() -> Result<Self, Problem> {
        let listen =
            |kind| signal(kind).map_err(|source| Problem::internal("no signals").because(source));
        Ok(Self([
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ]))
    }

    /// Waits for the next of them.
    async fn any(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(fetching: Option<Installation<'static>>) -> Model {
        Model::Local { fetching, port: ReservedPort::take().expect("a port") }
    }

    #[test]
    fn a_chat_begins_with_the_real_model_where_there_is_one() {
        let real = Model::Real { id: "acme".to_owned(), variables: Variables::new() };

        assert_eq!(default_model(&real), Some("acme".to_owned()));
        assert_eq!(default_model(&local(None)), Some("local".to_owned()));
        assert_eq!(default_model(&Model::OnlyEcho(String::new())), None);
    }

    #[test]
    fn the_demonstration_model_is_named_for_what_it_is() {
        let said = about(&local(None)).join("\n");

        assert!(said.contains("tiny demonstration model"), "{said}");
        assert!(said.contains("LLM_PROVIDER_1_"), "{said}");
    }

    #[test]
    fn without_a_model_it_says_why() {
        let said = about(&Model::OnlyEcho("Python 3 not found".to_owned())).join("\n");

        assert!(said.contains("only `echo` answers (Python 3 not found)"), "{said}");
    }
}
