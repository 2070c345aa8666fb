//! The form: it is filled from a connection string, reports faults as they are typed, and tests before it adds.

use std::time::Duration;

use pgwatch::app::dialogs::form::{Field, Test};
use pgwatch::app::{Dialog, Form, Msg, update};
use pgwatch::model::protocol::{CommandError, Tested};
use pgwatch::model::{Command, ErrorKind, EventKind, NodeConfig, NodeError, PasswordSource, Role, Secret, SslMode};

use super::dashboard::{Dashboard, name};

fn form(dashboard: &Dashboard) -> &Form {
    let Some(Dialog::Form(form)) = &dashboard.app.dialog else { panic!("no form is open") };
    form
}

fn tested(dashboard: &mut Dashboard, commands: &[Command], outcome: Result<Tested, NodeError>) -> NodeConfig {
    let [Command::Test { id, node }] = commands else { panic!("no test: {commands:?}") };
    dashboard.tell(EventKind::Tested { id: *id, outcome });
    (**node).clone()
}

fn answer() -> Tested {
    Tested { server_version: "17.2".to_owned(), role: Some(Role::Primary), connect_time: Duration::from_millis(6) }
}

#[test]
fn an_empty_start_offers_the_form() {
    let dashboard = Dashboard::new(&[]);
    assert_eq!(form(&dashboard).title(), "Add a node for this session");
    assert!(Dashboard::healthy().app.dialog.is_none());
}

#[test]
fn a_connection_string_fills_the_fields_and_shows_no_password() {
    let mut dashboard = Dashboard::new(&[]);
    dashboard.press("postgresql://app:s3cret@db1.example.com:5433/shop?sslmode=require");
    let shown = |field| form(&dashboard).shown(field).0;
    assert_eq!(shown(Field::Name), "db1");
    assert_eq!(shown(Field::Host), "db1.example.com");
    assert_eq!(shown(Field::Port), "5433");
    assert_eq!(shown(Field::Database), "shop");
    assert_eq!(shown(Field::User), "app");
    assert_eq!(shown(Field::Password), "••••••");
    assert_eq!(shown(Field::Tls), "require");
    assert_eq!(shown(Field::Conninfo), "postgresql://app:••••••@db1.example.com:5433/shop?sslmode=require");
    assert!(!format!("{:?}", dashboard.app).contains("s3cret"), "a password in the Debug output");
}

#[test]
fn no_field_ever_shows_a_part_of_a_password_being_typed() {
    let mut dashboard = Dashboard::new(&[]);
    for key in "postgresql://app:1234x@db1/shop".chars() {
        dashboard.press(&key.to_string());
        for field in Field::ALL {
            let shown = form(&dashboard).shown(field).0;
            let error = form(&dashboard).error(field).unwrap_or_default();
            assert!(!shown.contains('1') || shown.contains("db1"), "{field:?} shows {shown:?}");
            assert!(!error.contains("12"), "{field:?} says {error:?}");
        }
    }
    assert_eq!(form(&dashboard).shown(Field::Port).0, "");
}

#[test]
fn a_node_is_tested_then_added_then_selected() {
    let mut dashboard = Dashboard::healthy();
    // On a node's page, which shows the added one then.
    dashboard.press("<enter>a<tab>extra<tab>10.0.0.9<tab><tab><tab><tab>pw<tab>");
    let commands = dashboard.press("<right><ctrl-t>");
    assert!(matches!(form(&dashboard).test, Test::Running { .. }));
    let node = tested(&mut dashboard, &commands, Ok(answer()));
    assert_eq!(form(&dashboard).test, Test::Passed(answer()));
    assert_eq!(form(&dashboard).button(), "Add");
    assert_eq!(
        (node.name.as_str(), node.address().as_str(), node.database.as_str()),
        ("extra", "10.0.0.9:5432", "postgres")
    );
    assert_eq!(node.password, PasswordSource::Given(Secret::new("pw")));
    assert_eq!(node.tls.mode, SslMode::Require);
    assert_eq!(dashboard.press("<enter>"), [Command::AddNode(Box::new(node.clone()))]);
    assert!(dashboard.app.dialog.is_none());
    dashboard.tell(EventKind::NodeAdded { node: Box::new(node) });
    assert_eq!(dashboard.selected(), "extra");
    assert_eq!(dashboard.listed("node added"), 1);
}

#[test]
fn a_failed_test_says_why_and_adds_only_when_asked_again() {
    let mut dashboard = Dashboard::new(&[]);
    let commands = dashboard.press("host=10.0.0.9<tab><ctrl-u>n<ctrl-t>");
    let error = NodeError::new(ErrorKind::Refused, "connection refused");
    tested(&mut dashboard, &commands, Err(error.clone()));
    assert_eq!(form(&dashboard).test, Test::Failed(error));
    assert_eq!(form(&dashboard).button(), "Add anyway");
    dashboard.press("x");
    assert_eq!(form(&dashboard).test, Test::Idle, "an edit makes the test void");
    assert_eq!(dashboard.press("<esc>"), []);
}

#[test]
fn an_answer_to_an_older_test_is_ignored() {
    let mut dashboard = Dashboard::new(&[]);
    let commands = dashboard.press("host=h<tab><tab><ctrl-t>");
    dashboard.press("<shift-tab><shift-tab>x");
    tested(&mut dashboard, &commands, Ok(answer()));
    assert_eq!(form(&dashboard).test, Test::Idle);
}

#[test]
fn fields_report_faults_while_they_are_typed() {
    for (keys, field, complaint) in [
        ("<tab>1x", Field::Name, Some("start with a letter, then use letters, digits, - and _")),
        ("<tab>primary", Field::Name, Some("a node of that name exists")),
        ("<tab>fine", Field::Name, None),
        ("<tab><tab>a b", Field::Host, Some("enter one host, without blanks")),
        ("<tab><tab><tab>0", Field::Port, Some("1 to 65535")),
        ("<tab><tab><tab>65536", Field::Port, Some("1 to 65535")),
        ("", Field::Host, None),
        ("<ctrl-t>", Field::Host, Some("Host is needed")),
        ("<enter>", Field::Name, Some("Name is needed")),
    ] {
        let mut dashboard = Dashboard::healthy();
        dashboard.press("a");
        assert_eq!(dashboard.press(keys), []);
        assert_eq!(form(&dashboard).error(field).as_deref(), complaint, "{keys}");
    }
}

#[test]
fn editing_keeps_the_name_and_the_password() {
    let mut dashboard = Dashboard::healthy();
    dashboard.press("e");
    assert_eq!(form(&dashboard).title(), "Edit primary for this session");
    assert!(form(&dashboard).is_fixed(Field::Name));
    assert_eq!(form(&dashboard).field(), Some(Field::Host));
    let commands = dashboard.press("<ctrl-u>10.0.0.2<ctrl-t>");
    tested(&mut dashboard, &commands, Ok(answer()));
    let commands = dashboard.press("<enter>");
    let [Command::EditNode(node)] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!((node.name.as_str(), node.host.as_str()), ("primary", "10.0.0.2"));
}

#[test]
fn letters_are_text_and_a_paste_is_one_line() {
    let mut dashboard = Dashboard::healthy();
    dashboard.press("a<tab>qdjk");
    update(&mut dashboard.app, Msg::Paste("x\ny".to_owned()));
    assert_eq!(form(&dashboard).shown(Field::Name).0, "qdjkx y");
    assert_eq!(dashboard.rows().len(), 3);
}

#[test]
fn a_refused_node_is_reported() {
    let mut dashboard = Dashboard::healthy();
    dashboard.tell(EventKind::Refused { node: None, error: CommandError::Exists(name("primary")) });
    assert!(dashboard.app.notice.as_ref().unwrap().text.contains("exists already"));
    assert!(dashboard.newest().contains("refused"));
}

#[test]
fn what_the_fields_leave_open_comes_from_the_defaults() {
    let mut template = NodeConfig::new(name("any"), "h");
    (template.port, template.database, template.user) = (6543, "app".to_owned(), "monitor".to_owned());
    let form = Form::add(&template, Vec::new());
    let shown = [Field::Port, Field::Database, Field::User].map(|field| form.placeholder(field).into_owned());
    assert_eq!(shown, ["6543", "app", "monitor"]);
}
