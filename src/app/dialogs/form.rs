//! The form that adds or edits a node: its fields, their errors while they are typed, and the connection test before
//! anything is added.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::config::conninfo::{self, ConnInfo, hosts};
use crate::model::protocol::Tested;
use crate::model::{Host, NodeConfig, NodeError, NodeName, PasswordSource, RootCert, Secret, SslMode};

use crate::app::typing::line::Input;
use crate::app::{Key, KeyCode};

/// The fields, in the order of `Tab`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// A connection string, which fills the other fields.
    Conninfo,
    /// The name of the node.
    Name,
    /// The host name, address or socket directory.
    Host,
    /// The port.
    Port,
    /// The database.
    Database,
    /// The role.
    User,
    /// The password.
    Password,
    /// The TLS mode.
    Tls,
}

impl Field {
    /// All fields, in the order of `Tab`.
    pub const ALL: [Self; 8] =
        [Self::Conninfo, Self::Name, Self::Host, Self::Port, Self::Database, Self::User, Self::Password, Self::Tls];

    /// The label in front of the field.
    pub fn label(self) -> &'static str {
        match self {
            Self::Conninfo => "Connection string",
            Self::Name => "Name",
            Self::Host => "Host",
            Self::Port => "Port",
            Self::Database => "Database",
            Self::User => "User",
            Self::Password => "Password",
            Self::Tls => "TLS",
        }
    }
}

/// The state of the connection test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// Not started, or a field has changed since.
    Idle,
    /// It runs. If `then_add` is true, the node is added when the test passes.
    Running {
        /// The number of the test, which its answer repeats.
        id: u64,
        /// True if the node is to be added when the test passes.
        then_add: bool,
    },
    /// The server answered.
    Passed(Tested),
    /// The connection failed.
    Failed(NodeError),
}

/// The open form.
#[derive(Debug, Clone)]
pub struct Form {
    /// The settings of the node that have no field; when editing, the node as it was.
    base: NodeConfig,
    editing: bool,
    /// Names that other nodes have.
    taken: Vec<NodeName>,
    inputs: [Input; 7],
    /// The TLS mode.
    pub tls: SslMode,
    /// The last valid connection string, for its TLS files and other settings without a field.
    info: ConnInfo,
    /// True once the name was typed: a connection string no longer changes it.
    named: bool,
    /// The focus: an index into [`Field::ALL`], or [`Form::BUTTON`].
    pub focus: usize,
    /// True once the button was pressed: empty fields show their errors too.
    complain: bool,
    /// The state of the connection test.
    pub test: Test,
}

impl Form {
    /// The value of `focus` for the button.
    pub const BUTTON: usize = Field::ALL.len();

    /// A form to add a node. `template` has the settings that have no field; `taken` are the names in use.
    pub fn add(template: &NodeConfig, taken: Vec<NodeName>) -> Self {
        Self {
            base: template.clone(),
            editing: false,
            taken,
            inputs: Default::default(),
            tls: template.tls.mode,
            info: ConnInfo::default(),
            named: false,
            focus: 0,
            complain: false,
            test: Test::Idle,
        }
    }

    /// A form to edit a node. The name is fixed; an empty password field keeps the password.
    pub fn edit(node: &NodeConfig) -> Self {
        let mut form = Self { editing: true, named: true, focus: 2, ..Self::add(node, Vec::new()) };
        form.put(Field::Name, node.name.as_str());
        let (hosts, ports) = lists(node);
        form.put(Field::Host, &hosts);
        form.put(Field::Port, &ports);
        form.put(Field::Database, &node.database);
        form.put(Field::User, &node.user);
        form
    }

    /// The title of the dialog.
    pub fn title(&self) -> String {
        let what = if self.editing { format!("Edit {}", self.base.name) } else { "Add a node".to_owned() };
        format!("{what} for this session")
    }

    /// True if the form edits a node, false if it adds one.
    pub fn is_editing(&self) -> bool {
        self.editing
    }

    /// The field that has the focus; `None` if the button has it.
    pub fn field(&self) -> Option<Field> {
        Field::ALL.get(self.focus).copied()
    }

    /// True for the name of a node that is edited, which cannot change.
    pub fn is_fixed(&self, field: Field) -> bool {
        self.editing && field == Field::Name
    }

    /// The label of the button: what `Enter` does next, wherever the focus is.
    pub fn button(&self) -> &'static str {
        match (&self.test, self.editing) {
            (Test::Idle, false) => "Test and add",
            (Test::Idle, true) => "Test and save",
            (Test::Running { .. }, _) => "Testing …",
            (Test::Passed(_), false) => "Add",
            (Test::Passed(_), true) => "Save",
            (Test::Failed(_), false) => "Add anyway",
            (Test::Failed(_), true) => "Save anyway",
        }
    }

    /// The same as one word for the key line.
    pub(in crate::app) fn word(&self) -> &'static str {
        match (&self.test, self.editing) {
            (Test::Idle, false) => "test and add",
            (Test::Idle, true) => "test and save",
            (Test::Running { .. }, _) => "",
            (Test::Passed(_), false) => "add",
            (Test::Passed(_), true) => "save",
            (Test::Failed(_), false) => "add anyway",
            (Test::Failed(_), true) => "save anyway",
        }
    }

    /// The text of a field as the screen may show it, passwords masked, and the cursor's column in it.
    pub fn shown(&self, field: Field) -> (String, usize) {
        match (self.input(field), field) {
            (None, _) => (self.tls.as_str().to_owned(), 0),
            (Some(input), Field::Password) => (super::mask::all(input.text()), input.column()),
            (Some(input), Field::Conninfo) => (super::mask::conninfo(input.text()), input.column()),
            (Some(input), _) => (input.text().to_owned(), input.column()),
        }
    }

    /// The hint that an empty field shows.
    pub fn placeholder(&self, field: Field) -> Cow<'_, str> {
        let text = match field {
            Field::Conninfo => "postgresql://user@host:5432/database",
            Field::Name => "a letter, then letters, digits, - and _",
            Field::Host => "name, address, or a socket's directory",
            Field::Port => return lists(&self.base).1.into(),
            Field::Database => &self.base.database,
            Field::User => &self.base.user,
            Field::Password if self.editing => "unchanged",
            Field::Password if matches!(self.base.password, PasswordSource::None) => "none",
            Field::Password => "from the environment or the password file",
            Field::Tls => "",
        };
        text.into()
    }

    /// What is wrong with a field, while it is typed.
    pub fn error(&self, field: Field) -> Option<String> {
        let text = self.text(field).trim();
        if text.is_empty() {
            let missing = self.complain && matches!(field, Field::Name | Field::Host);
            return missing.then(|| format!("{} is needed", field.label()));
        }
        match field {
            Field::Conninfo => self.conninfo_error(text),
            Field::Name => match NodeName::parse(text) {
                Err(_) => Some("start with a letter, then use letters, digits, - and _".to_owned()),
                Ok(name) if self.taken.contains(&name) => Some("a node of that name exists".to_owned()),
                Ok(_) => None,
            },
            Field::Host => text.contains(char::is_whitespace).then(|| "enter one host, without blanks".to_owned()),
            Field::Port => match self.hosts() {
                Err(_) if hosts::ports(text).is_err() => Some("1 to 65535".to_owned()),
                Err(message) => Some(message),
                Ok(_) => None,
            },
            Field::Database | Field::User | Field::Password | Field::Tls => None,
        }
    }

    fn conninfo_error(&self, text: &str) -> Option<String> {
        // The beginning of a connection string is not an error yet.
        let begun = self.field() == Some(Field::Conninfo) && !self.complain && !conninfo::is_conninfo(text);
        match conninfo::parse(text) {
            Err(_) if begun => None,
            Err(error) => Some(error.message),
            Ok(info) if info.service.is_some() => Some("a service belongs in the configuration file".to_owned()),
            Ok(_) => None,
        }
    }

    /// The node that the fields describe; `None` if a field is wrong.
    pub fn config(&self) -> Option<NodeConfig> {
        let name = NodeName::parse(self.text(Field::Name).trim()).ok()?;
        let node = self.connection()?;
        self.error(Field::Name).is_none().then_some(NodeConfig { name, ..node })
    }

    /// The same whatever its name: enough to test the connection.
    fn connection(&self) -> Option<NodeConfig> {
        let wrong = |field: &Field| *field != Field::Name && self.error(*field).is_some();
        if Field::ALL.iter().any(wrong) || self.text(Field::Host).trim().is_empty() {
            return None;
        }
        let or = |field: Field, default: &str| {
            let text = self.text(field).trim();
            if text.is_empty() { default.to_owned() } else { text.to_owned() }
        };
        let mut node = self.base.clone();
        node.set_hosts(self.hosts().ok()?);
        node.database = or(Field::Database, &self.base.database);
        node.user = or(Field::User, &self.base.user);
        node.tls.mode = self.tls;
        self.apply_info(&mut node);
        let password = self.text(Field::Password);
        if !password.is_empty() {
            node.password = PasswordSource::Given(Secret::new(password));
        }
        Some(node)
    }

    /// The hosts of the two fields. Addresses of the edited node, or of the connection string, belong to the names that
    /// were there with them.
    fn hosts(&self) -> Result<Vec<Host>, String> {
        let (name, port) = (self.text(Field::Host).trim(), self.text(Field::Port).trim());
        let addresses = if name == self.info.hosts.join(",") || name == hosts::shown(&self.info.hostaddrs) {
            self.info.hostaddrs.clone()
        } else if name == lists(&self.base).0 {
            self.base.hosts().map(|host| host.addr).collect()
        } else {
            Vec::new()
        };
        let own_ports = lists(&self.base).1;
        let ports = hosts::ports(if port.is_empty() { &own_ports } else { port })?;
        hosts::combine(&hosts::names(name)?, &addresses, &ports, || "localhost".to_owned())
    }

    /// Applies the settings of the connection string that have no field.
    fn apply_info(&self, node: &mut NodeConfig) {
        let path = |text: &Option<String>| text.as_ref().map(PathBuf::from);
        match self.info.sslrootcert.as_deref() {
            Some("system") => node.tls.root_cert = Some(RootCert::System),
            Some(file) => node.tls.root_cert = Some(RootCert::File(file.into())),
            None => {}
        }
        node.tls.cert = path(&self.info.sslcert).or_else(|| node.tls.cert.take());
        node.tls.key = path(&self.info.sslkey).or_else(|| node.tls.key.take());
        node.tls.key_password = self.info.sslpassword.clone().or_else(|| node.tls.key_password.take());
        node.tls.channel_binding = self.info.channel_binding.unwrap_or(node.tls.channel_binding);
        self.info.details.apply(node);
        node.pool.connect_timeout = self.info.connect_timeout.unwrap_or(node.pool.connect_timeout);
        if let Some(file) = &self.info.passfile {
            node.password = PasswordSource::File(file.clone().into());
        }
    }

    /// Handles a key that is no action of the form: it is typed into the field.
    pub(in crate::app) fn key(&mut self, key: Key) {
        let Some(field) = self.field().filter(|field| !self.is_fixed(*field)) else { return };
        let changed = match field {
            Field::Tls => self.turn_tls(key),
            _ => self.input_mut(field).is_some_and(|input| {
                let before = input.text().len();
                input.key(key) && (input.text().len() != before || matches!(key.code, KeyCode::Char(_)))
            }),
        };
        if changed {
            self.changed(field);
        }
    }

    pub(in crate::app) fn paste(&mut self, text: &str) {
        let Some(field) = self.field().filter(|field| !self.is_fixed(*field)) else { return };
        if let Some(input) = self.input_mut(field) {
            input.insert(text.trim());
            self.changed(field);
            self.fill(field == Field::Conninfo);
        }
    }

    pub(in crate::app) fn step(&mut self, forward: bool) {
        if self.field() == Some(Field::Conninfo) {
            self.fill(true);
        }
        let places = Self::BUTTON + 1;
        let step = if forward { 1 } else { places - 1 };
        self.focus = (self.focus + step) % places;
        if self.field().is_some_and(|field| self.is_fixed(field)) {
            self.focus = (self.focus + step) % places;
        }
    }

    /// The node to submit. If a field is missing or wrong, returns `None` and moves the focus to it.
    pub(in crate::app) fn checked(&mut self) -> Option<NodeConfig> {
        self.fill(true);
        self.complain = true;
        let node = self.config();
        if node.is_none() {
            self.go_to_error();
        }
        node
    }

    /// The node to test. A missing or used name does not matter to a test.
    pub(in crate::app) fn testable(&mut self) -> Option<NodeConfig> {
        self.fill(true);
        self.complain = true;
        let node = self.connection();
        if node.is_none() {
            self.go_to_error();
        }
        let name = NodeName::parse(self.text(Field::Name).trim());
        node.map(|node| NodeConfig { name: name.unwrap_or_else(|_| node.name.clone()), ..node })
    }

    fn go_to_error(&mut self) {
        // A host proposes a name, so a missing name counts only if there is a host.
        let hostless = self.text(Field::Host).trim().is_empty();
        let wrong = |field: &Field| self.error(*field).is_some() && !(hostless && *field == Field::Name);
        self.focus = Field::ALL.iter().position(wrong).unwrap_or(self.focus);
    }

    fn changed(&mut self, field: Field) {
        self.test = Test::Idle;
        match field {
            Field::Conninfo => self.fill(false),
            Field::Name => self.named = !self.text(Field::Name).is_empty(),
            Field::Host | Field::Port | Field::Database => self.propose_name(),
            _ => {}
        }
    }

    /// Proposes a free name made from the host, unless one was typed. Adds the port, the database or a number if the
    /// name is taken.
    fn propose_name(&mut self) {
        if self.named {
            return;
        }
        let host = suggested_name(self.text(Field::Host).trim());
        let or = |field: Field, default: String| match self.text(field).trim() {
            "" => default,
            text => text.to_owned(),
        };
        let port = or(Field::Port, self.base.port.to_string());
        let database = clean(&or(Field::Database, self.base.database.clone()));
        let with = [host.clone(), format!("{host}-{port}"), format!("{host}-{port}-{database}")].into_iter();
        let numbered = (2..).map(|number| format!("{host}-{number}"));
        let free = |name: &String| !self.taken.iter().any(|taken| taken.as_str() == name);
        let name = if host.is_empty() { None } else { with.chain(numbered).find(free) };
        self.put(Field::Name, &name.unwrap_or_default());
    }

    /// Fills the fields from the connection string: while it is typed, as soon as nothing that follows can change its
    /// meaning; and when it is `complete`.
    fn fill(&mut self, complete: bool) {
        let text = self.text(Field::Conninfo).trim().to_owned();
        let authority = text.split_once("://").map_or("", |(_, rest)| rest);
        // Until the `@` is typed, a password looks like a port.
        let ambiguous = authority.contains(':') && !authority.contains(['@', '/']);
        let Ok(info) = conninfo::parse(&text) else { return };
        if text.is_empty() || info == self.info || (ambiguous && !complete) {
            return;
        }
        let filled = |text: String| (!text.is_empty()).then_some(text);
        let host = filled(info.hosts.join(",")).or_else(|| filled(hosts::shown(&info.hostaddrs)));
        let ports: Vec<String> = info.ports.iter().map(u16::to_string).collect();
        let port = filled(ports.join(","));
        let password = info.password.as_ref().map(Secret::expose);
        for (field, value) in [
            (Field::Host, host.as_deref()),
            (Field::Port, port.as_deref()),
            (Field::Database, info.database.as_deref()),
            (Field::User, info.user.as_deref()),
            (Field::Password, password),
        ] {
            if let Some(value) = value {
                self.put(field, value);
            }
        }
        self.propose_name();
        self.tls = info.sslmode.unwrap_or(self.tls);
        self.info = info;
    }

    fn turn_tls(&mut self, key: Key) -> bool {
        let step = match key.code {
            KeyCode::Left => SslMode::ALL.len() - 1,
            KeyCode::Right | KeyCode::Char(' ') => 1,
            _ => return false,
        };
        let at = SslMode::ALL.iter().position(|mode| *mode == self.tls).unwrap_or_default();
        self.tls = SslMode::ALL[(at + step) % SslMode::ALL.len()];
        true
    }

    fn text(&self, field: Field) -> &str {
        self.input(field).map_or("", Input::text)
    }

    fn input(&self, field: Field) -> Option<&Input> {
        self.inputs.get(field as usize)
    }

    fn input_mut(&mut self, field: Field) -> Option<&mut Input> {
        self.inputs.get_mut(field as usize)
    }

    fn put(&mut self, field: Field, text: &str) {
        if let Some(input) = self.input_mut(field) {
            input.set(text);
        }
    }
}

/// The hosts of a node and their ports as two texts, which are lists with commas if it has several.
fn lists(node: &NodeConfig) -> (String, String) {
    let (names, ports): (Vec<String>, Vec<String>) =
        node.hosts().map(|host| (host.name, host.port.to_string())).unzip();
    let same = ports.iter().all(|port| Some(port) == ports.first());
    (names.join(","), if same { node.port.to_string() } else { ports.join(",") })
}

/// A name made from a host: its first label, or the whole of a numeric address.
fn suggested_name(host: &str) -> String {
    let label = host.split('.').next().unwrap_or(host);
    let text = if label.starts_with(|c: char| c.is_ascii_alphabetic()) { label } else { host };
    let clean = clean(text);
    match clean.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => clean,
        Some(_) => format!("node-{clean}"),
        None => String::new(),
    }
}

/// The characters of a text that a name may contain.
fn clean(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    clean.trim_matches('-').to_owned()
}
