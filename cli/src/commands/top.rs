//! `platform top`: a live view of the platform that runs here: rate, errors and latency by operation, services, sessions, cache.

mod measure;
mod view;

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval};

use super::status::{listener, memory, span, uptime};
use crate::arguments::Global;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::ops::Ops;
use crate::run_file::RunFile;
use crate::settings;
use measure::{Measured, Measures};
use view::{Head, Order, View};

/// Shows it until `q`, `Esc` or Ctrl-C.
pub(crate) async fn run(context: &mut Context, global: &Global, every: Duration) -> Outcome {
    let settings = settings::load(context, global, &[])?.settings;
    let path = settings.run_file();
    if !context.interactive || !context.stdout_terminal {
        return Err(Failure::usage("this needs a terminal to show itself on").next(
            "For programs there is `platform status -o json`, and /metrics of the operations listener.",
        ));
    }
    if RunFile::of_running(&path).is_none() {
        return Err(Failure::new(Exit::Unreachable, "no platform runs here")
            .because(RunFile::absence(&path))
            .next("Start it with `platform serve`, or say by --data-dir which one is meant."));
    }
    let keys = keys();
    let terminal = ratatui::try_init().map_err(|error| unusable(&error))?;
    let source = Source { context, path, measures: Measures::default() };
    let shown = show(terminal, source, keys, every).await;
    ratatui::try_restore().map_err(|error| unusable(&error))?;
    shown.map_err(|error| unusable(&error))
}

fn unusable(error: &io::Error) -> Failure {
    Failure::failed("the terminal can't be used").caused_by(error)
}

/// What is typed, and changes of the terminal's size, from a thread of their own: reading waits.
fn keys() -> UnboundedReceiver<Event> {
    let (sender, receiver) = unbounded_channel();
    thread::spawn(move || {
        while let Ok(event) = event::read() {
            if sender.send(event).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Where the numbers come from.
struct Source<'a> {
    context: &'a Context,
    path: std::path::PathBuf,
    measures: Measures,
}

impl Source<'_> {
    /// What there is to see now. A platform that is gone or hangs is told as such; it may come back.
    async fn look(&mut self) -> Head {
        let Some(run) = RunFile::of_running(&self.path) else {
            self.measures = Measures::default();
            return Head::gone("no platform runs here");
        };
        let title = format!(
            "platform {}  process {}  up {}",
            run.version,
            run.pid,
            span(uptime(self.context, &run).unwrap_or_default())
        );
        match self.ask(&run).await {
            Ok(faults) => Head { title, faults, memory: memory(run.pid) },
            Err(failure) => Head { title, faults: vec![failure.what], memory: memory(run.pid) },
        }
    }

    /// Reads everything once; what keeps the platform from serving.
    async fn ask(&mut self, run: &RunFile) -> Outcome<Vec<String>> {
        let ops = Ops::new(listener(run).ok_or_else(|| Failure::failed("the process tells no address"))?)?;
        let readiness = ops.readiness().await?;
        let services = if run.ops.is_some() { ops.services().await? } else { Vec::new() };
        self.measures.add(Measured { at: Instant::now(), metrics: ops.metrics().await?, services });
        Ok(readiness.faults)
    }
}

async fn show(
    mut terminal: DefaultTerminal,
    mut source: Source<'_>,
    mut keys: UnboundedReceiver<Event>,
    every: Duration,
) -> io::Result<()> {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut view = View { colour: source.context.colour, ..View::default() };
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                if !view.paused && !looked(&mut terminal, &mut source, &mut keys, &mut view).await? {
                    return Ok(());
                }
            }
            event = keys.recv() => if !taken(event.as_ref(), &mut view) {
                return Ok(());
            },
        }
        terminal.draw(|frame| view.draw(frame))?;
    }
}

/// Looks anew, and takes what is typed meanwhile: a platform that hangs keeps nobody here. Whether to go on.
async fn looked(
    terminal: &mut DefaultTerminal,
    source: &mut Source<'_>,
    keys: &mut UnboundedReceiver<Event>,
    view: &mut View,
) -> io::Result<bool> {
    {
        let look = source.look();
        tokio::pin!(look);
        loop {
            tokio::select! {
                head = &mut look => {
                    view.head = head;
                    break;
                }
                event = keys.recv() => {
                    if !taken(event.as_ref(), view) {
                        return Ok(false);
                    }
                    terminal.draw(|frame| view.draw(frame))?;
                }
            }
        }
    }
    view.now = source.measures.now();
    Ok(true)
}

/// Takes what was typed; whether to go on.
fn taken(event: Option<&Event>, view: &mut View) -> bool {
    match event {
        Some(Event::Key(key)) if key.kind != KeyEventKind::Release => {
            typed(view, key.code);
            !ends(*key)
        }
        Some(_) => true,
        None => false,
    }
}

fn ends(key: KeyEvent) -> bool {
    let control_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    control_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
}

fn typed(view: &mut View, key: KeyCode) {
    match key {
        KeyCode::Char('r') => view.order = Order::Rate,
        KeyCode::Char('e') => view.order = Order::Errors,
        KeyCode::Char('l') => view.order = Order::Latency,
        KeyCode::Char('p' | ' ') => view.paused = !view.paused,
        KeyCode::Down | KeyCode::Char('j') => view.first = view.first.saturating_add(1),
        KeyCode::Up | KeyCode::Char('k') => view.first = view.first.saturating_sub(1),
        _ => {}
    }
}
