//! How far an import is: a bar on a terminal, a line now and then elsewhere.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::context::Context;

/// A note on the way after so many rows, where there is no terminal.
const TOLD_EVERY: u64 = 10_000;

/// Fits 80 columns.
const TEMPLATE: &str = "[{bar:24}] {percent:>3} %  {msg}, {eta} left";

/// What a person sees meanwhile.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    begun: Instant,
    rows: u64,
    told: u64,
}

impl Progress {
    /// Begins; `done` of `length` is read already.
    pub(super) fn begin(context: &Context, length: u64, done: u64) -> Self {
        let bar = (context.stderr_terminal && !context.quiet).then(|| {
            let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_message("0 rows");
            bar.set_position(done);
            // What was done before says nothing about how long the rest takes.
            bar.reset_eta();
            bar
        });
        Self { bar, begun: Instant::now(), rows: 0, told: 0 }
    }

    /// So many more rows are dealt with, and `done` is read.
    pub(super) fn more(&mut self, context: &mut Context, rows: u64, done: u64) {
        self.rows += rows;
        let rate = u128::from(self.rows) * 1000 / self.begun.elapsed().as_millis().max(1);
        let told = format!("{} rows, {rate} a second", self.rows);
        match &self.bar {
            Some(bar) => {
                bar.set_position(done);
                bar.set_message(told);
            }
            None if self.rows / TOLD_EVERY > self.told => {
                self.told = self.rows / TOLD_EVERY;
                context.note(&told);
            }
            None => {}
        }
    }

    /// Takes the bar away: what follows is the report.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
