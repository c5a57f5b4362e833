//! What is drawn. It is read at 80 columns and 24 lines, and uses what more there is.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Row, Sparkline, Table};

use super::measure::{Now, Operation};
use crate::output::safe;

/// By what operations are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Order {
    #[default]
    Rate,
    Errors,
    Latency,
}

/// What stands at the top.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    pub(super) title: String,
    /// What keeps it from serving.
    pub(super) faults: Vec<String>,
    pub(super) memory: Option<u64>,
}

impl Head {
    /// Of nothing that runs.
    pub(super) fn gone(why: &str) -> Self {
        Self { title: "platform".to_owned(), faults: vec![why.to_owned()], memory: None }
    }
}

/// All that is drawn, and how.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    pub(super) head: Head,
    pub(super) now: Now,
    pub(super) order: Order,
    pub(super) paused: bool,
    /// Operations above this one are scrolled away.
    pub(super) first: usize,
    pub(super) colour: bool,
}

impl View {
    /// Draws the whole screen.
    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let below = u16::try_from(self.now.services.len()).unwrap_or(u16::MAX).clamp(3, 6) + 2;
        let [head, totals, curve, operations, services, foot] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Length(4),
            Constraint::Min(4),
            Constraint::Length(below),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        frame.render_widget(self.head(), head);
        frame.render_widget(self.totals(), totals);
        self.curve(frame, curve);
        self.operations(frame, operations);
        let [left, right] =
            Layout::horizontal([Constraint::Min(40), Constraint::Length(28)]).spacing(2).areas(services);
        self.services(frame, left);
        frame.render_widget(self.cache(), right);
        let keys = "q quit   r rate   e errors   l latency   arrows scroll   space pause";
        frame.render_widget(Paragraph::new(keys).style(self.dim()), foot);
    }

    fn style(&self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new().add_modifier(Modifier::BOLD) }
    }

    fn dim(&self) -> Style {
        if self.colour { Style::new().fg(Color::DarkGray) } else { Style::new() }
    }

    fn head(&self) -> Paragraph<'_> {
        let state = match (self.head.faults.is_empty(), self.paused) {
            (_, true) => Span::styled("paused", self.style(Color::Yellow)),
            (true, false) => Span::styled("ready", self.style(Color::Green)),
            (false, false) => Span::styled(safe(&self.head.faults.join("; ")), self.style(Color::Red)),
        };
        let memory = self.head.memory.map(|memory| format!("  {} MiB", memory / (1024 * 1024)));
        let title = format!("{}{}  ", safe(&self.head.title), memory.unwrap_or_default());
        Paragraph::new(Line::from(vec![Span::raw(title), state]))
    }

    fn totals(&self) -> Paragraph<'_> {
        let sum = |of: fn(&Operation) -> f64| self.now.operations.iter().map(of).sum::<f64>();
        let (rate, failed) = (sum(|one| one.rate), sum(|one| one.failed));
        let share = if rate > 0.0 { failed * 100.0 / rate } else { 0.0 };
        let failed = format!("{} failed/s ({share:.1} %)", number(failed));
        let alarm = if share > 0.0 { self.style(Color::Red) } else { Style::new() };
        let mut parts = vec![
            Span::raw(format!("{} requests/s   ", number(rate))),
            Span::styled(failed, alarm),
            Span::raw(format!("   {} in flight", count(self.now.in_flight))),
            Span::raw(format!("   {} sessions", count(self.now.sessions))),
        ];
        if let Some(tunnels) = self.now.tunnels.filter(|tunnels| *tunnels > 0.0) {
            parts.push(Span::raw(format!("   {tunnels:.0} tunnels")));
        }
        Paragraph::new(Line::from(parts))
    }

    fn curve(&self, frame: &mut Frame<'_>, area: Rect) {
        let width = usize::from(area.width);
        let curve = &self.now.curve[self.now.curve.len().saturating_sub(width)..];
        let most = curve.iter().max().copied().unwrap_or_default();
        let block = Block::new()
            .borders(Borders::TOP)
            .border_style(self.dim())
            .title(format!(" requests/s, at most {most} "));
        let line = Sparkline::default().block(block).data(curve).style(self.style(Color::Cyan));
        frame.render_widget(line, area);
    }

    fn operations(&self, frame: &mut Frame<'_>, area: Rect) {
        let mut operations: Vec<&Operation> = self.now.operations.iter().collect();
        let slow = |one: &Operation| one.latency.map_or(0.0, |[_, most, _]| most);
        operations.sort_by(|one, other| {
            let order = match self.order {
                Order::Rate => other.rate.total_cmp(&one.rate),
                Order::Errors => {
                    other.failed.total_cmp(&one.failed).then(other.refused.total_cmp(&one.refused))
                }
                Order::Latency => slow(other).total_cmp(&slow(one)),
            };
            order.then_with(|| one.name.cmp(&other.name))
        });
        let shown = usize::from(area.height.saturating_sub(2));
        let first = self.first.min(operations.len().saturating_sub(shown));
        let rows = operations.iter().skip(first).map(|one| self.row(one));
        let widths = [
            Constraint::Min(20),
            Constraint::Length(9),
            Constraint::Length(8),
            Constraint::Length(8),
            Constraint::Length(8),
            Constraint::Length(8),
            Constraint::Length(8),
        ];
        let sorted = |order: Order, title: &str| {
            if self.order == order { format!("{title:>7}*") } else { format!("{title:>8}") }
        };
        let heading = Row::new([
            "OPERATION".to_owned(),
            format!(" {}", sorted(Order::Rate, "RATE/S")),
            format!("{:>8}", "4XX/S"),
            sorted(Order::Errors, "5XX/S"),
            format!("{:>8}", "P50"),
            sorted(Order::Latency, "P95"),
            format!("{:>8}", "P99"),
        ])
        .style(Style::new().add_modifier(Modifier::BOLD));
        let title =
            format!(" operations, last 10 s ({} of {}) ", shown.min(operations.len()), operations.len());
        let block = Block::new().borders(Borders::TOP).border_style(self.dim()).title(title);
        frame.render_widget(Table::new(rows, widths).header(heading).column_spacing(1).block(block), area);
    }

    fn row(&self, one: &Operation) -> Row<'static> {
        let times = one.latency.map_or([const { None }; 3], |times| times.map(Some));
        let mut cells = vec![
            safe(&one.name),
            format!("{:>9}", number(one.rate)),
            format!("{:>8}", number(one.refused)),
            format!("{:>8}", number(one.failed)),
        ];
        cells.extend(times.map(|time| format!("{:>8}", time.map_or_else(|| "-".to_owned(), duration))));
        let style = if one.failed > 0.0 {
            self.style(Color::Red)
        } else if one.rate > 0.0 {
            Style::new()
        } else {
            self.dim()
        };
        Row::new(cells).style(style)
    }

    fn services(&self, frame: &mut Frame<'_>, area: Rect) {
        let rows = self.now.services.iter().map(|service| {
            let bad = service.healthy < service.instances || service.agreement == "breaking";
            let contract = match service.agreement.as_str() {
                "breaking" => "another contract",
                "" => "-",
                other => other,
            };
            let style = if bad { self.style(Color::Red) } else { Style::new() };
            Row::new([
                safe(&service.name),
                format!("{} of {}", service.healthy, service.instances),
                format!("{:>9}", service.in_flight),
                safe(contract),
            ])
            .style(style)
        });
        let widths =
            [Constraint::Min(12), Constraint::Length(8), Constraint::Length(9), Constraint::Length(16)];
        let heading = Row::new(["SERVICE", "HEALTHY", "IN FLIGHT", "SERVES"])
            .style(Style::new().add_modifier(Modifier::BOLD));
        let block = Block::new().borders(Borders::TOP).border_style(self.dim()).title(" services ");
        frame.render_widget(Table::new(rows, widths).header(heading).column_spacing(1).block(block), area);
    }

    fn cache(&self) -> Paragraph<'_> {
        let lines = match self.now.cache {
            None => vec![Line::raw("nothing asked of it")],
            Some(cache) => {
                let all = cache.hits + cache.misses;
                let share =
                    if all > 0.0 { format!("{:.0} %", cache.hits * 100.0 / all) } else { "-".to_owned() };
                vec![
                    Line::raw(format!("from it {share:>12}")),
                    Line::raw(format!("asked   {all:>12.0}")),
                    Line::raw(cache.bytes.map_or_else(String::new, |bytes| {
                        format!("holds   {:>8.1} MiB", bytes / (1024.0 * 1024.0))
                    })),
                ]
            }
        };
        Paragraph::new(lines)
            .block(Block::new().borders(Borders::TOP).border_style(self.dim()).title(" cache, last 10 s "))
    }
}

fn count(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0}"))
}

/// A rate, short.
fn number(value: f64) -> String {
    match value {
        value if value <= 0.0 => "0".to_owned(),
        value if value < 10.0 => format!("{value:.1}"),
        value if value < 100_000.0 => format!("{value:.0}"),
        value => format!("{:.0}k", value / 1000.0),
    }
}

/// A time, short.
fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds.is_infinite() => "> 10 s".to_owned(),
        seconds if seconds < 0.01 => format!("{:.1} ms", seconds * 1000.0),
        seconds if seconds < 1.0 => format!("{:.0} ms", seconds * 1000.0),
        seconds => format!("{seconds:.1} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::measure::tests::{scrape, second, services};
    use super::super::measure::{Measured, Measures};
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    /// The screen of that size, line by line.
    fn drawn(view: &View, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view.draw(frame)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let lines = buffer.content.chunks(usize::from(width));
        lines
            .map(|line| {
                line.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned()
            })
            .collect()
    }

    fn view() -> View {
        let mut measures = Measures::default();
        for (index, (good, failed)) in [(1_000, 0), (1_090, 10), (1_180, 20)].into_iter().enumerate() {
            measures.add(Measured { at: second(index), metrics: scrape(good, failed), services: services() });
        }
        let head = Head {
            title: "platform 0.1.0  process 7  up 2 min 3 s".to_owned(),
            faults: vec![],
            memory: Some(64 << 20),
        };
        View { head, now: measures.now(), ..View::default() }
    }

    #[test]
    fn everything_can_be_read_at_80_columns_and_24_lines() {
        let view = view();
        let screen = drawn(&view, 80, 24);
        insta::assert_snapshot!("screen", screen.join("\n"));
        for words in [
            "ready",
            "100 requests/s",
            "10 failed/s (10.0 %)",
            "3 in flight",
            "42 sessions",
            "64 MiB",
            "list_users",
            "RATE/S*",
            "orders",
            "1 of 2",
            "another contract",
            "2.0 MiB",
            "q quit",
        ] {
            assert!(screen.iter().any(|line| line.contains(words)), "{words}:\n{}", screen.join("\n"));
        }
    }

    #[test]
    fn what_is_wrong_stands_at_the_top_and_small_terminals_break_nothing() {
        let mut view = View { head: Head::gone("no platform runs here"), ..view() };
        assert!(drawn(&view, 80, 24)[0].contains("no platform runs here"));
        view.paused = true;
        assert!(drawn(&view, 120, 40)[0].contains("paused"));
        for (width, height) in [(1, 1), (20, 5), (40, 10)] {
            drawn(&view, width, height);
        }
    }

    #[test]
    fn operations_are_sorted_as_asked_and_scrolled() {
        let mut view = view();
        let operation = |name: &str, rate: f64, failed: f64, slow: f64| Operation {
            name: name.to_owned(),
            rate,
            refused: 0.0,
            failed,
            latency: Some([slow; 3]),
        };
        view.now.operations = vec![
            operation("often", 9.0, 0.0, 0.001),
            operation("broken", 1.0, 1.0, 0.002),
            operation("slow", 2.0, 0.0, 3.0),
        ];
        for (order, first) in [(Order::Rate, "often"), (Order::Errors, "broken"), (Order::Latency, "slow")] {
            view.order = order;
            let screen = drawn(&view, 80, 24);
            let heading = screen.iter().position(|line| line.starts_with("OPERATION")).unwrap();
            assert!(screen[heading + 1].starts_with(first), "{order:?}: {}", screen.join("\n"));
        }
        view.now.operations = (0..30)
            .map(|number| operation(&format!("operation{number:02}"), f64::from(100 - number), 0.0, 0.001))
            .collect();
        view.order = Order::Rate;
        view.first = 1_000;
        assert!(drawn(&view, 80, 24).iter().any(|line| line.starts_with("operation29")));
    }
}
