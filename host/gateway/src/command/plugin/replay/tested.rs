//! The component of a plugin as something the testkit can play cases against.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use sluice_chat::request::ChatRequest;
use sluice_sandbox::Provider;
use sluice_testkit::{Case, Chat, Circumstances, Failure, Input, Next, Output, Steps, Subject};
use tokio::runtime::Runtime;

use super::instance::{Fault, Instance};
use super::memory::{Memory, Story};
use super::{asked, detail};

/// A component with settings, or its refusal of them.
pub(super) type Candidate = Result<Provider, Failure>;

/// What a case took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cost {
    /// Ways in which it was played.
    replays: u32,
    /// Of these, the ones that an instance was made for.
    run: u32,
    guest_time: Duration,
    peak_memory_bytes: usize,
}

impl Cost {
    /// With this much more.
    pub(super) fn with(self, instances: u32, guest_time: Duration) -> Self {
        Self {
            replays: self.replays + instances,
            run: self.run + instances,
            guest_time: self.guest_time + guest_time,
            ..self
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { replays, run, guest_time, peak_memory_bytes } = self;
        write!(f, "{replays} replays, ")?;
        if run != replays {
            write!(f, "{run} distinct, ")?;
        }
        let tenths = guest_time.as_micros() / 100;
        write!(f, "{}.{} ms guest time", tenths / 10, tenths % 10)?;
        // Of a policy's instances nobody knows it.
        if *peak_memory_bytes == 0 {
            return Ok(());
        }
        let tenths = peak_memory_bytes * 10 / (1 << 20);
        write!(f, ", peak {}.{} MiB", tenths / 10, tenths % 10)
    }
}

/// A component, to be played one case against.
#[derive(Debug)]
pub(super) struct Tested(Rc<Trial>);

#[derive(Debug)]
struct Trial {
    runtime: Rc<Runtime>,
    candidate: Candidate,
    now_ms: u64,
    seed: u64,
    question: ChatRequest,
    memory: RefCell<Memory>,
    cost: Cell<Cost>,
    expected_detail: Option<String>,
    /// The first one ends the case.
    fault: RefCell<Option<Fault>>,
}

impl Tested {
    /// For this case. With `all`, every replay gets an instance of its own.
    pub(super) fn new(runtime: Rc<Runtime>, candidate: Candidate, case: &Case, all: bool) -> Self {
        let Circumstances { settings: _, now_ms, seed } = case.circumstances;
        let memory = if all { Memory::Nothing } else { Memory::Of(HashMap::new()) };
        Self(Rc::new(Trial {
            runtime,
            candidate,
            now_ms,
            seed,
            question: asked::chat(&case.chat),
            memory: RefCell::new(memory),
            cost: Cell::default(),
            expected_detail: detail::expected(&case.folder),
            fault: RefCell::default(),
        }))
    }

    /// What the case took so far.
    pub(super) fn cost(&self) -> Cost {
        self.0.cost.get()
    }

    /// What it did that no gateway puts up with, if it did.
    pub(super) fn take_fault(&self) -> Option<Fault> {
        self.0.fault.take()
    }
}

impl Subject for Tested {
    type Answer = Running;

    /// `circumstances` are those of the case, which the component was loaded with.
    fn open(&self, _circumstances: &Circumstances) -> Result<Running, Failure> {
        self.0.pay(|cost| cost.replays += 1);
        let provider = self.0.candidate.clone().map_err(|failure| self.0.restored(failure))?;
        let trial = Rc::clone(&self.0);
        Ok(Running { trial, provider, told: Vec::new(), story: Story::default(), instance: None })
    }
}

impl Trial {
    fn pay(&self, price: impl FnOnce(&mut Cost)) {
        let mut cost = self.cost.get();
        price(&mut cost);
        self.cost.set(cost);
    }

    fn restored(&self, failure: Failure) -> Failure {
        detail::restored(failure, self.expected_detail.as_deref())
    }

    /// Whether this is what was said at this point before.
    fn is_steady(&self, story: Story, said: &Output) -> Result<(), Fault> {
        match self.memory.borrow().recall(story) {
            Some(known) if known != said => Err(Fault::Unsteady),
            _ => Ok(()),
        }
    }
}

/// One answer. It has an instance as soon as it is told something that no earlier one was told.
#[derive(Debug)]
pub(super) struct Running {
    trial: Rc<Trial>,
    provider: Provider,
    told: Vec<Input>,
    story: Story,
    instance: Option<Instance>,
}

impl Steps for Running {
    /// `chat` is that of the case.
    fn start(&mut self, _chat: &Chat) -> Output {
        self.advance()
    }

    fn step(&mut self, input: Input) -> Output {
        self.story = self.story.then(&input);
        self.told.push(input);
        self.advance()
    }
}

impl Running {
    fn advance(&mut self) -> Output {
        // The kit has no word for a fault. To want more where there is no more ends a case like one.
        let fault = || Output { events: Vec::new(), next: Next::More, parting: None };
        if self.trial.fault.borrow().is_some() {
            return fault();
        }
        if self.instance.is_none()
            && let Some(known) = self.trial.memory.borrow().recall(self.story)
        {
            return known.clone();
        }
        let trial = Rc::clone(&self.trial);
        let ran = trial.runtime.block_on(self.run());
        trial.pay(|cost| {
            if let Some(instance) = &mut self.instance {
                cost.guest_time += instance.take_guest_time();
                cost.peak_memory_bytes = cost.peak_memory_bytes.max(instance.peak_memory_bytes());
            }
        });
        match ran {
            Ok(said) => {
                let said = match said.next {
                    Next::Fail(failure) => {
                        Output { next: Next::Fail(trial.restored(failure)), ..said }
                    }
                    Next::More | Next::Send(_) | Next::Wait(_) | Next::Done => said,
                };
                trial.memory.borrow_mut().keep(self.story, &said);
                said
            }
            Err(seen) => {
                trial.fault.replace(Some(seen));
                fault()
            }
        }
    }

    /// Tells the instance what came last, or a fresh one everything.
    async fn run(&mut self) -> Result<Output, Fault> {
        if let (Some(instance), Some(last)) = (&mut self.instance, self.told.last()) {
            return instance.step(last).await;
        }
        let trial = &self.trial;
        trial.pay(|cost| cost.run += 1);
        let fresh = Instance::open(&self.provider, trial.now_ms, trial.seed).await?;
        let instance = self.instance.insert(fresh);
        let mut story = Story::default();
        let mut said = instance.start(&trial.question).await?;
        for input in &self.told {
            trial.is_steady(story, &said)?;
            story = story.then(input);
            said = instance.step(input).await?;
        }
        Ok(said)
    }
}
