//! The second line: every screen with its key, the current one highlighted. All are visible at every width that has
//! room for a dashboard; on narrow screens their titles are shorter.

use ratatui::layout::Rect;

use super::canvas::{Canvas, to_app};
use super::widgets::pen::Pen;
use crate::app::keys::keymap::{Place, keymap};
use crate::app::screen::{About, SCREENS};
use crate::app::{Action, App, Screen};
use crate::text;

/// A screen with its titles: full, short, and for 80 columns.
struct Tab {
    key: char,
    titles: [&'static str; 3],
    opens: Opens,
}

/// What a click does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opens {
    Screen(Screen),
    Drift,
}

/// Pairs of titles and gap, the best first; the last fits into 80 columns.
const LAYOUTS: [(usize, usize); 6] = [(0, 3), (0, 2), (0, 1), (1, 2), (1, 1), (2, 1)];
/// Minimum width at which a node's name is shown, in columns.
const LEAST_NAME: usize = 12;

pub(crate) fn draw(canvas: &mut Canvas<'_>, line: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let width = |&(titles, gap): &(usize, usize)| -> usize {
        tabs().map(|tab| 2 + tab.titles[titles].len() + gap).sum::<usize>() - gap
    };
    let room = usize::from(line.width);
    let layout = LAYOUTS.iter().find(|layout| width(layout) + 2 * (layout.1 - 1) <= room).unwrap_or(&LAYOUTS[5]);
    let (titles, gap) = *layout;
    // The first has a gap to the edge if the others have a gap between them.
    let mut left = room.saturating_sub(width(layout) + (gap - 1));
    let mut pen = Pen::new(canvas.buf, line);
    pen.gap(gap - 1);
    for tab in tabs() {
        let start = pen.x();
        let active = is_active(app, tab.opens);
        let (key, text) = if active { (theme.patch, theme.patch) } else { (theme.dim, theme.text) };
        pen.put(tab.key.encode_utf8(&mut [0; 4]), key);
        pen.put(" ", if active { theme.patch } else { theme.base }).put(tab.titles[titles], text);
        let area = to_app(Rect { x: start, width: pen.x().saturating_sub(start), ..line });
        match tab.opens {
            Opens::Screen(screen) => canvas.drawn.tabs.push((area, screen)),
            Opens::Drift => canvas.drawn.keys.push((area, Action::Compare)),
        }
        if active
            && app.screen == Screen::Detail
            && left >= LEAST_NAME
            && let Some(name) = app.nodes_table.selected()
        {
            let from = pen.x();
            pen.put(" › ", theme.dim).put(&text::fit(name.as_str(), left - 3), theme.bright);
            left -= usize::from(pen.x() - from);
        }
        pen.gap(gap);
    }
}

fn is_active(app: &App, opens: Opens) -> bool {
    match opens {
        Opens::Screen(Screen::Nodes) => matches!(app.screen, Screen::Nodes | Screen::Detail),
        Opens::Screen(screen) => app.screen == screen,
        Opens::Drift => app.shows_drift(),
    }
}

fn tabs() -> impl Iterator<Item = Tab> {
    let of = |about: &About| {
        let key = about.digit.or_else(|| about.action.map(key))?;
        Some(Tab { key, titles: about.titles, opens: Opens::Screen(about.screen) })
    };
    let drift = || Tab { key: key(Action::Compare), titles: ["Drift"; 3], opens: Opens::Drift };
    SCREENS.iter().filter_map(of).chain(std::iter::once_with(drift))
}

fn key(action: Action) -> char {
    match keymap().keys(action, Place::Screen).first().map(|key| key.code) {
        Some(crate::app::KeyCode::Char(letter)) => letter,
        _ => ' ',
    }
}
