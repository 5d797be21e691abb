//! Where answers come from besides `echo`, and the life of the demonstration model's server.

use std::path::Path;
use std::time::Duration;

use tokio::sync::oneshot;

use super::data::{self, DataDirectory};
use super::provider::{self, Provider, Variables};
use crate::fetch::{self, Installation};
use crate::local_model::{self, ReservedPort, Server};
use crate::problem::Problem;
use crate::workspace::Workspace;
use crate::{environment, say};

/// Where answers come from, besides `echo`.
#[derive(Debug)]
pub(super) enum Model {
    /// A provider from the environment, by variables that are to be added.
    Real { id: String, variables: Variables },
    /// The demonstration model, still being fetched or there.
    Local { fetching: Option<Installation<'static>>, port: ReservedPort },
    /// None; why.
    OnlyEcho(String),
}

impl Model {
    /// Looks at the environment, and begins to fetch the demonstration model if there is nothing else.
    pub(super) fn choose(sluice: &Workspace, without_local: bool) -> Self {
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

    /// Whether it is not there yet.
    pub(super) fn is_being_fetched(&self) -> bool {
        matches!(self, Self::Local { fetching: Some(_), .. })
    }

    /// What the gateway must be told of it.
    pub(super) fn variables(&self) -> Variables {
        match self {
            Self::Real { variables, .. } => variables.clone(),
            Self::Local { port, .. } => provider::local(port.port()),
            Self::OnlyEcho(_) => Variables::new(),
        }
    }

    /// Finishes a download that ended while the build ran.
    pub(super) fn settle(&mut self) {
        let Self::Local { fetching, .. } = self else { return };
        let over = match fetching.as_mut().map(Installation::is_over) {
            Some(Ok(true)) => fetching.take().map(Installation::finish),
            Some(Err(problem)) => Some(Err(problem)),
            Some(Ok(false)) | None => None,
        };
        if let Some(Err(problem)) = over {
            *self = Self::OnlyEcho(problem.to_string());
        }
    }

    /// Which model a chat begins with, when it is not what the configuration says.
    pub(super) fn default_id(&self) -> Option<String> {
        match self {
            Self::Real { id, .. } if !id.is_empty() => Some(id.clone()),
            Self::Local { fetching: None, .. } => Some(provider::LOCAL_ID.to_owned()),
            Self::Real { .. } | Self::Local { fetching: Some(_), .. } | Self::OnlyEcho(_) => None,
        }
    }

    /// What there is to say about the models, in lines.
    pub(super) fn about(&self) -> Vec<String> {
        let mut lines = match self {
            Self::Real { .. } => return Vec::new(),
            Self::Local { fetching, .. } => {
                let local = provider::LOCAL_ID;
                let mut lines = vec![format!(
                    "`{local}` is SmolLM2-135M, a tiny demonstration model on this machine: real, and often wrong"
                )];
                if fetching.is_some() {
                    lines.push("it is still being fetched; `echo` answers meanwhile".to_owned());
                }
                lines
            }
            Self::OnlyEcho(why) => vec![format!("only `echo` answers ({why})")],
        };
        lines.push(
            "a real one: OPENAI_API_KEY=… cargo sluice up, or, for any vendor of that dialect,"
                .to_owned(),
        );
        lines.push("LLM_PROVIDER_1_{ID,NAME,TYPE=openai,ENDPOINT,API_KEY,MODEL}".to_owned());
        lines
    }

    /// Brings the model's server up and keeps it until `stop`; says what becomes of it.
    pub(super) async fn serve(
        self,
        sluice: &Workspace,
        data: &DataDirectory,
        ready: oneshot::Sender<()>,
        mut stop: oneshot::Receiver<()>,
    ) {
        let Self::Local { fetching, port } = self else { return };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn local(fetching: Option<Installation<'static>>) -> Model {
        Model::Local { fetching, port: ReservedPort::take().expect("a port") }
    }

    #[test]
    fn a_chat_begins_with_the_real_model_where_there_is_one() {
        let real = Model::Real { id: "acme".to_owned(), variables: Variables::new() };

        assert_eq!(real.default_id(), Some("acme".to_owned()));
        assert_eq!(local(None).default_id(), Some("local".to_owned()));
        assert_eq!(Model::OnlyEcho(String::new()).default_id(), None);
    }

    #[test]
    fn the_demonstration_model_is_named_for_what_it_is() {
        let said = local(None).about().join("\n");

        assert!(said.contains("tiny demonstration model"), "{said}");
        assert!(said.contains("LLM_PROVIDER_1_"), "{said}");
    }

    #[test]
    fn without_a_model_it_says_why() {
        let said = Model::OnlyEcho("Python 3 not found".to_owned()).about().join("\n");

        assert!(said.contains("only `echo` answers (Python 3 not found)"), "{said}");
    }
}
