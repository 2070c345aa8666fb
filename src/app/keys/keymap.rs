//! The key map: which key means which action where. It is data (`config/keys.yaml`); this file reads and asks it.

use std::sync::LazyLock;

use indexmap::IndexMap;
use serde::Deserialize;

use crate::app::{Action, Key};

/// The key map as it is written.
pub const SOURCE: &str = include_str!("../../../config/keys.yaml");

/// A place where keys are pressed: a section of the key map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    Always,
    Screen,
    Nodes,
    Detail,
    Topology,
    View,
    Query,
    Events,
    Alerts,
    Editor,
    Form,
    Confirm,
    Help,
    /// The list of a table's columns.
    Columns,
    Command,
    Filter,
}

impl Place {
    /// As a heading of the help.
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

    /// The sections that hold here, the nearest first.
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
    /// Reads a key map; the error says what is wrong and where.
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

    /// What a key means in a place.
    pub fn resolve(&self, key: Key, place: Place) -> Option<Action> {
        let key = key.normal();
        place
            .chain()
            .iter()
            .filter_map(|place| self.places.get(place))
            .flatten()
            .find_map(|(action, keys)| keys.contains(&key).then_some(*action))
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

    pub fn places(&self) -> impl Iterator<Item = Place> {
        self.places.keys().copied()
    }
}

/// The key map that is built in. `tests/pure/keys` proves that it can be read.
pub fn keymap() -> &'static Keymap {
    static KEYMAP: LazyLock<Keymap> = LazyLock::new(|| Keymap::parse(SOURCE).unwrap_or_default());
    &KEYMAP
}

/// Keys as one text: `↑ k`.
pub fn labels(keys: &[Key], ascii: bool) -> String {
    keys.iter().map(|key| key.label(ascii)).collect::<Vec<_>>().join(" ")
}
