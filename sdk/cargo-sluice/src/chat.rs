//! `cargo sluice chat`: a chat in the terminal, or with what comes through a pipe.

mod connection;
mod conversation;
mod frame;
mod input;

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use self::connection::{Address, Connection, Heard};
use self::conversation::{Conversation, Show, Step};
use self::input::Line;
use crate::problem::Problem;
use crate::up::data;
use crate::{environment, say};

/// How often a lost connection is tried again before giving up.
const ATTEMPTS: u32 = 10;
/// The first pause between attempts; each one after it is twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Whom to chat with.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The gateway, as http://HOST:PORT/PREFIX. Without it, the one `cargo sluice up` runs here.
    #[arg(long)]
    url: Option<String>,
    /// The token; better in the variable `SLUICE_TOKEN`, where other users cannot see it.
    #[arg(long)]
    token: Option<String>,
    /// The model that answers.
    #[arg(long)]
    model: Option<String>,
}

/// Chats until there is nothing more to say.
pub(crate) fn run(arguments: Arguments) -> Result<(), Problem> {
    let Arguments { url, token, model } = arguments;
    let address = address(url, token)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Problem::internal("no runtime").because(source))?
        .block_on(async {
            let interrupts = signal(SignalKind::interrupt())
                .map_err(|source| Problem::internal("no signals").because(source))?;
            let is_person = std::io::stdin().is_terminal();
            Chat { address, talk: Conversation::new(model), interrupts, is_person, cut: false }
                .run(input::lines())
                .await
        })
}

fn address(url: Option<String>, token: Option<String>) -> Result<Address, Problem> {
    let token = token.or_else(|| environment::variable("SLUICE_TOKEN"));
    let running = data::running_around(Path::new("."));
    let known = running.map(|running| (running.url, running.token));
    let (known_url, known_token) = known.unzip();
    let url = url.or(known_url).ok_or_else(|| {
        Problem::usage("no gateway runs here")
            .mend("cargo sluice up")
            .mend("cargo sluice chat --url http://HOST:PORT/chatbox")
    })?;
    let token = token.or(known_token).ok_or_else(|| {
        Problem::usage("a token is missing").mend("SLUICE_TOKEN=$(sluice token --user NAME)")
    })?;
    Ok(Address { url, token })
}

#[derive(Debug)]
struct Chat {
    address: Address,
    talk: Conversation,
    interrupts: Signal,
    /// Whether a person types, or a program.
    is_person: bool,
    /// Whether the running answer was cancelled already.
    cut: bool,
}

/// Why a connection is no longer used.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    /// Nothing more to say.
    Done,
    /// It broke.
    Lost,
}

impl Chat {
    async fn run(mut self, mut lines: mpsc::Receiver<Line>) -> Result<(), Problem> {
        let mut connection = Connection::open(&self.address).await?;
        if self.is_person {
            say::note(input::HELP);
        }
        while self.talk_over(&mut connection, &mut lines).await? == Left::Lost {
            let Some(again) = self.reconnect().await? else { return Ok(()) };
            connection = again;
        }
        connection.close().await;
        match self.talk.failures() {
            0 => Ok(()),
            _ if self.is_person => Ok(()),
            _ => Err(Problem::quiet()),
        }
    }

    /// Uses one connection for as long as it holds.
    async fn talk_over(
        &mut self,
        connection: &mut Connection,
        lines: &mut mpsc::Receiver<Line>,
    ) -> Result<Left, Problem> {
        let mut is_open = false;
        loop {
            let idle = is_open && !self.talk.is_busy();
            let step = tokio::select! {
                // In this order: who has nothing more to say does not wait for a lost connection.
                biased;
                _ = self.interrupts.recv() => {
                    if self.cut || !self.talk.is_busy() {
                        say::note("");
                        return Ok(Left::Done);
                    }
                    self.cut = true;
                    self.talk.cancel()
                }
                line = lines.recv(), if idle => match line {
                    None | Some(Line::Quit) => return Ok(Left::Done),
                    Some(line) => self.take(line),
                },
                heard = connection.hear() => match heard {
                    Heard::Frame(frame) => {
                        is_open = true;
                        self.talk.hear(*frame)
                    }
                    Heard::Lost => return Ok(Left::Lost),
                    Heard::Refused(why) => return Err(Problem::usage(why).mend("cargo sluice up")),
                },
            };
            show(&step);
            if is_open && !self.talk.is_busy() && !(idle && step.show.is_empty()) {
                self.prompt();
            }
            for frame in &step.send {
                connection.send(frame).await;
            }
        }
    }

    fn take(&mut self, line: Line) -> Step {
        self.cut = false;
        let note = |text: String| Step { show: vec![Show::Note(text)], send: Vec::new() };
        match line {
            Line::Say(content) => self.talk.ask(content, uuid::Uuid::new_v4().to_string()),
            Line::Models => self.talk.list_models(),
            Line::Model(id) => self.talk.choose_model(&id),
            Line::New => self.talk.begin_anew(),
            Line::Help | Line::Quit => note(input::HELP.to_owned()),
            Line::Unknown(name) => note(format!("no command /{name}; {}", input::HELP)),
        }
    }

    /// Tries again with growing pauses; `None` when the person does not want to wait.
    async fn reconnect(&mut self) -> Result<Option<Connection>, Problem> {
        say::note("the connection was lost; trying again");
        let mut pause = FIRST_PAUSE;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = self.interrupts.recv() => return Ok(None),
            }
            match Connection::open(&self.address).await {
                Ok(connection) => return Ok(Some(connection)),
                Err(problem) => last = Some(problem),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Err(last.unwrap_or_else(Problem::quiet))
    }

    fn prompt(&self) {
        if self.is_person {
            say::text("> ");
        }
    }
}

fn show(step: &Step) {
    for show in &step.show {
        match show {
            Show::Text(text) => say::text(&printable(text)),
            Show::End => say::line(""),
            Show::Note(text) => say::note(&printable(text)),
        }
    }
}

/// The text without what would steer a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control() || matches!(letter, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests;
