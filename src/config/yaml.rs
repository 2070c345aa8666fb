//! YAML with positions: `serde_yaml` decides what a text means, and the lossless tree of `yaml-edit` where each value
//! is.
//!
//! Scalars stay text (`port: 5432` and `port: "5432"` are the same), so that nothing is lost before the schema is
//! applied: a password of digits keeps its leading zeros. Aliases are followed and merge keys (`<<`) applied; a
//! duplicate key is a problem that names both lines. No other file knows these two crates.

use std::collections::HashMap;

use yaml_edit::{AnchorRegistry, Document, YamlNode};

use super::diagnostic::{Diagnostics, Position};
use lines::Lines;
use raw::RawValue;

mod lines;
mod raw;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Yaml {
    pub position: Position,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Text(String),
    /// A text that is not UTF-8, from a variable of the environment.
    Bytes(Vec<u8>),
    List(Vec<Yaml>),
    Map(Vec<Entry>),
    /// A value whose problem was reported already.
    Broken,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub key: String,
    pub position: Position,
    pub value: Yaml,
}

/// Reads a text. `None` if it is not YAML, which the report then says.
pub(super) fn read(text: &str, report: &mut Diagnostics) -> Option<Yaml> {
    let raw = raw::read(text, report)?;
    let (document, _) = Document::from_str_relaxed(text);
    let anchors = AnchorRegistry::from_document(&document);
    let root = document
        .as_mapping()
        .map(YamlNode::Mapping)
        .or_else(|| document.as_sequence().map(YamlNode::Sequence))
        .or_else(|| document.as_scalar().map(YamlNode::Scalar));
    let mut builder = Builder { lines: Lines::new(text), anchors, report };
    Some(builder.build(raw, root.as_ref(), Position { line: 1, column: 1 }))
}

/// The entries of a map while it is being read, each key once.
#[derive(Default)]
struct Entries {
    list: Vec<Entry>,
    places: HashMap<String, Position>,
}

impl Entries {
    /// Returns the entry, with the place of the first, if its key exists already.
    fn add(&mut self, entry: Entry) -> Result<(), (Entry, Position)> {
        if let Some(first) = self.places.get(&entry.key) {
            return Err((entry, *first));
        }
        self.places.insert(entry.key.clone(), entry.position);
        self.list.push(entry);
        Ok(())
    }
}

/// Combines the values of a text with their places.
struct Builder<'a> {
    lines: Lines<'a>,
    anchors: AnchorRegistry,
    report: &'a mut Diagnostics,
}

impl Builder<'_> {
    /// `node` is the value in the lossless tree; without one, its place is that of what surrounds it.
    fn build(&mut self, raw: RawValue, node: Option<&YamlNode>, around: Position) -> Yaml {
        let resolved = match node {
            Some(YamlNode::Alias(alias)) => self.anchors.resolve_alias(alias).ok(),
            other => other.cloned(),
        };
        let node = resolved.as_ref();
        // A missing value has no place, so its key is pointed at.
        let place = node.filter(|_| !matches!(raw, RawValue::Null));
        let position = place.map_or(around, |node| self.start_of(node));
        let value = match raw {
            RawValue::Null => Value::Null,
            RawValue::Text(text) => Value::Text(text),
            // `1e3` and `00` are text too: the characters of the file are kept.
            RawValue::Number(understood) => Value::Text(match node {
                Some(YamlNode::Scalar(scalar)) => scalar.as_string().trim().to_owned(),
                _ => understood,
            }),
            RawValue::List(items) => Value::List(self.list(items, node, position)),
            RawValue::Map(entries) => Value::Map(self.map(entries, node, position)),
            RawValue::Tagged => {
                self.report.problem(
                    position,
                    "a tag (! and a word) has no meaning here: put a text that begins with ! in quotes",
                );
                Value::Broken
            }
        };
        Yaml { position, value }
    }

    fn list(&mut self, items: Vec<RawValue>, node: Option<&YamlNode>, position: Position) -> Vec<Yaml> {
        let places: Vec<YamlNode> = match node {
            Some(YamlNode::Sequence(sequence)) => sequence.values().collect(),
            _ => Vec::new(),
        };
        items.into_iter().enumerate().map(|(i, raw)| self.build(raw, places.get(i), position)).collect()
    }

    fn map(&mut self, raw: Vec<(RawValue, RawValue)>, node: Option<&YamlNode>, position: Position) -> Vec<Entry> {
        let places: Vec<_> = match node {
            Some(YamlNode::Mapping(mapping)) => mapping.entries().collect(),
            _ => Vec::new(),
        };
        // If the two readers disagree about the entries, all get the place of the map.
        let places = if places.len() == raw.len() { places } else { Vec::new() };
        let mut entries = Entries::default();
        let mut merged: Vec<Yaml> = Vec::new();
        for (i, (raw_key, raw_value)) in raw.into_iter().enumerate() {
            let key = self.build(raw_key, places.get(i).and_then(yaml_edit::MappingEntry::key_node).as_ref(), position);
            let value = self.build(
                raw_value,
                places.get(i).and_then(yaml_edit::MappingEntry::value_node).as_ref(),
                key.position,
            );
            match key.value {
                Value::Text(text) if text == "<<" => merged.push(value),
                Value::Text(text) => self.insert(&mut entries, Entry { key: text, position: key.position, value }),
                Value::Broken => {}
                _ => self.report.problem(key.position, "a key must be a word"),
            }
        }
        for value in merged {
            self.merge(&mut entries, value);
        }
        entries.list
    }

    fn insert(&mut self, entries: &mut Entries, entry: Entry) {
        if let Err((Entry { key, position, .. }, first)) = entries.add(entry) {
            self.report.problem(position, format!("{key:?} is written twice, first on line {}: keep one", first.line));
        }
    }

    /// Applies one `<<`: entries of the map itself win.
    fn merge(&mut self, entries: &mut Entries, from: Yaml) {
        match from.value {
            Value::Map(others) => others.into_iter().for_each(|other| drop(entries.add(other))),
            Value::List(maps) if maps.iter().all(|map| matches!(map.value, Value::Map(_))) => {
                for map in maps {
                    self.merge(entries, map);
                }
            }
            Value::Broken => {}
            _ => self.report.problem(from.position, "<< takes a map, or a list of maps: <<: *name"),
        }
    }

    /// Where a person would point: the first character of a scalar, a key or an item.
    fn start_of(&self, node: &YamlNode) -> Position {
        let first = match node {
            YamlNode::Mapping(mapping) if !mapping.is_flow_style() => {
                mapping.entries().next().and_then(|entry| entry.key_node())
            }
            _ => None,
        };
        self.lines.position(first.as_ref().unwrap_or(node).byte_range().start as usize)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn places(yaml: &Yaml, path: &str, out: &mut Vec<String>) {
        let Position { line, column } = yaml.position;
        match &yaml.value {
            Value::Map(entries) => {
                for entry in entries {
                    places(&entry.value, &format!("{path}.{}", entry.key), out);
                }
            }
            Value::List(items) => items.iter().for_each(|item| places(item, &format!("{path}[]"), out)),
            Value::Text(text) => out.push(format!("{path}={text}@{line}:{column}")),
            other => out.push(format!("{path}={other:?}@{line}:{column}")),
        }
    }

    fn read_places(text: &str) -> Vec<String> {
        let mut report = Diagnostics::new("f");
        let yaml = read(text, &mut report).unwrap();
        let mut out = Vec::new();
        places(&yaml, "", &mut out);
        out.extend(report.finish().err().unwrap_or_default().iter().map(ToString::to_string));
        out
    }

    #[test]
    fn every_value_has_its_place() {
        let text = "# top\n---\na: 1\nb:\n  c: 'x y'   # note\n  d: [p, \"q\",\n    00]\ne: &k {f: 1e3, g: }\nh: *k\ni:\n- é: ü\n  z: 2\n\
                    j: |\n  text\nl: !!str 5\n";
        assert_eq!(
            read_places(text),
            [
                ".a=1@3:4",
                ".b.c=x y@5:6",
                ".b.d[]=p@6:7",
                ".b.d[]=q@6:10",
                ".b.d[]=00@7:5",
                ".e.f=1e3@8:11",
                ".e.g=Null@8:16",
                ".h.f=1e3@8:11",
                ".h.g=Null@8:16",
                ".i[].é=ü@11:6",
                ".i[].z=2@12:6",
                ".j=text\n@13:4",
                ".l=5@15:4",
            ]
        );
    }

    #[test]
    fn merge_keys_and_keys_written_twice() {
        let text = "x: &x {a: 1, b: 2}\ny: &y\n  c: 3\nn:\n  <<: [*x, *y]\n  a: 9\n  d: 4\n  d: 5\r\n";
        assert_eq!(
            read_places(text),
            [
                ".x.a=1@1:11",
                ".x.b=2@1:17",
                ".y.c=3@3:6",
                ".n.a=9@6:6",
                ".n.d=4@7:6",
                ".n.b=2@1:17",
                ".n.c=3@3:6",
                "f:8:3: \"d\" is written twice, first on line 7: keep one"
            ]
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(nodes|a|b|: |:|- |\n|\n  |\n    |\t|[{}\\[\\],&*!|>'\"#%@`é~$<-]|<<: |---|\\.\\.\\.|\r\n| ){0,40}") {
            read(&text, &mut Diagnostics::new("f"));
        }

        #[test]
        fn quoted_texts_come_back(text in "[^\\p{C}]*") {
            let quoted = format!("a: '{}'", text.replace('\'', "''"));
            let yaml = read(&quoted, &mut Diagnostics::new("f")).unwrap();
            let Value::Map(entries) = yaml.value else { panic!("no map") };
            prop_assert_eq!(&entries[0].value.value, &Value::Text(text));
        }
    }
}
