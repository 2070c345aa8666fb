//! The key map: which key triggers which action in which place. It is data (`config/keys.yaml`); this file parses it
//! and looks keys up.

use std::sync::LazyLock;

use indexmap::IndexMap;
use serde::Deserialize;

use crate::app::{Action, Key};

/// The source of the key map.
pub const SOURCE: &str = include_str!("../../../config/keys.yaml");

/// A place where keys are pressed: a section of the key map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Everywhere.
    Always,
    /// Every screen.
    Screen,
    /// The screen of nodes.
    Nodes,
    /// The page of one node.
    Detail,
    /// The topology screen.
    Topology,
    /// A screen of views.
    View,
    /// The query screen.
    Query,
    /// The screen of events.
    Events,
    /// The screen of alerts.
    Alerts,
    /// The editor of statements.
    Editor,
    /// The form of a node.
    Form,
    /// A question.
    Confirm,
    /// The help.
    Help,
    /// The list of a table's columns.
    Columns,
    /// The command line.
    Command,
    /// The filter line.
    Filter,
}

impl Place {
    /// The heading in the help.
    pub fn title(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::Screen => "On every screen",
            Self::Nodes => "Nodes",
            Self::Detail => "Node",
            Self::Topology => "Topology",
            Self::View => "Tables of all nodes",
            Self::Query => "Query results",
            Self::Events => "Events",
            Self::Alerts => "Alerts",
            Self::Editor => "Query editor",
            Self::Form => "Form",
            Self::Confirm => "Question",
            Self::Help => "Help",
            Self::Columns => "Columns",
            Self::Command => "Command line",
            Self::Filter => "Filter",
        }
    }

    /// The sections that apply in this place, the most specific first.
    pub fn chain(self) -> &'static [Self] {
        match self {
            Self::Nodes => &[Self::Nodes, Self::Screen, Self::Always],
            Self::Detail => &[Self::Detail, Self::Screen, Self::Always],
            Self::Topology => &[Self::Topology, Self::Screen, Self::Always],
            Self::View => &[Self::View, Self::Screen, Self::Always],
            Self::Query => &[Self::Query, Self::Screen, Self::Always],
            Self::Events => &[Self::Events, Self::Screen, Self::Always],
            Self::Alerts => &[Self::Alerts, Self::Screen, Self::Always],
            Self::Screen => &[Self::Screen, Self::Always],
            Self::Editor => &[Self::Editor, Self::Always],
            Self::Form => &[Self::Form, Self::Always],
            Self::Confirm => &[Self::Confirm, Self::Always],
            Self::Help => &[Self::Help, Self::Always],
            Self::Columns => &[Self::Columns, Self::Always],
            Self::Command => &[Self::Command, Self::Always],
            Self::Filter => &[Self::Filter, Self::Always],
            Self::Always => &[Self::Always],
        }
    }
}

/// The parsed key map.
#[derive(Debug, Default)]
pub struct Keymap {
    places: IndexMap<Place, IndexMap<Action, Vec<Key>>>,
}

impl Keymap {
    /// Parses a key map.
    ///
    /// # Errors
    /// A text that says what is wrong and where.
    pub fn parse(source: &str) -> Result<Self, String> {
        let raw: IndexMap<Place, IndexMap<Action, Vec<String>>> =
            serde_yaml::from_str(source).map_err(|error| error.to_string())?;
        let mut places = IndexMap::new();
        for (place, actions) in raw {
            let mut bindings = IndexMap::new();
            for (action, names) in actions {
                let keys: Result<Vec<Key>, String> = names
                    .iter()
                    .map(|name| Key::parse(name).ok_or_else(|| format!("{place:?}, {action:?}: no key {name:?}")))
                    .collect();
                bindings.insert(action, keys?);
            }
            places.insert(place, bindings);
        }
        Ok(Self { places })
    }

    /// The action that a key triggers in a place, if any.
    pub fn resolve(&self, key: Key, place: Place) -> Option<Action> {
        let key = key.normal();
        place.chain().iter().find_map(|place| {
            let bindings = self.places.get(place)?;
            bindings.iter().find_map(|(action, keys)| keys.contains(&key).then_some(*action))
        })
    }

    /// The keys of an action in a place.
    pub fn keys(&self, action: Action, place: Place) -> &[Key] {
        let found = place.chain().iter().find_map(|place| self.places.get(place)?.get(&action));
        found.map_or(&[], Vec::as_slice)
    }

    /// The bindings of one section, in the order of [`Action::ALL`].
    pub fn section(&self, place: Place) -> Vec<(Action, &[Key])> {
        let mut bindings: Vec<_> =
            self.places.get(&place).into_iter().flatten().map(|(action, keys)| (*action, keys.as_slice())).collect();
        bindings.sort_by_key(|(action, _)| *action);
        bindings
    }

    /// The sections of the key map, in their order.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        self.places.keys().copied()
    }
}

/// The built-in key map. `tests/pure/keys` proves that it can be parsed.
pub fn keymap() -> &'static Keymap {
    static KEYMAP: LazyLock<Keymap> = LazyLock::new(|| Keymap::parse(SOURCE).unwrap_or_default());
    &KEYMAP
}

/// Several keys as one text: `↑ k`.
pub fn labels(keys: &[Key], ascii: bool) -> String {
    keys.iter().map(|key| key.label(ascii)).collect::<Vec<_>>().join(" ")
}
