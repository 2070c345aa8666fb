//! Everything a key can mean. `config/keys.yaml` says which key means it where; the key line, the help and the
//! README's table take their words from here, in this order.

use serde::Deserialize;

macro_rules! actions {
    ($($name:ident $short:literal $doc:literal)*) => {
        /// What a key asks for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Action { $(#[doc = $doc] $name,)* }

        impl Action {
            /// In the order of the key line and the help.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word in the key line; empty for what the help alone tells.
            pub fn short(self) -> &'static str {
                match self { $(Self::$name => $short,)* }
            }

            /// One line for the help and the README.
            pub fn doc(self) -> &'static str {
                match self { $(Self::$name => $doc,)* }
            }
        }
    };
}

actions! {
    Up "move" "Move up"
    Down "move" "Move down"
    Top "" "To the first row"
    Bottom "" "To the last row"
    PageUp "" "A page up"
    PageDown "" "A page down"
    HalfUp "" "Half a page up"
    HalfDown "" "Half a page down"
    Left "" "Scroll columns left"
    Right "" "Scroll columns right"
    Open "open" "Open what is selected"
    Mark "mark" "Mark the row: actions and statements take the marked ones"
    Add "add" "Add a node"
    Edit "edit" "Edit the node"
    Remove "remove" "Remove the node from the dashboard (asks first)"
    Retry "retry" "Try the node again now"
    Acknowledge "acknowledge" "I have seen the alert: it is counted no more; once more takes that back"
    Compare "compare" "What differs between the marked nodes, else between all"
    Pause "" "Pause the node: our sessions there are closed, until the same key again"
    RefreshNow "refresh" "Ask again now"
    EditStatement "edit" "Edit the statement"
    Rerun "run again" "Run the statement again"
    Run "run" "Run the statement"
    Accept "accept" "Accept; in the editor run what ends in ;"
    Test "test" "Test the connection"
    Yes "yes" "Yes"
    No "no" "No"
    NextField "next" "Next field, next choice"
    PreviousField "" "Previous field, previous choice"
    Complete "complete" "Next completion"
    CompleteBack "" "Previous completion"
    Older "history" "Older entry of the history"
    Newer "" "Newer entry of the history"
    Cancel "close" "Leave without doing it; in the editor: cancel what runs, else to the results"
    ProblemsOnly "problems" "Show problems only"
    Filter "filter" "Filter rows as you type: text or regex, ! inverts, column:text"
    Sort "sort" "Sort by the next column"
    SortReverse "" "Sort the other way round"
    SortLeft "" "Sort by the column to the left"
    SortRight "" "Sort by the column to the right"
    ShowHidden "all" "Show the rows that are hidden at first (idle sessions, what is the same on all nodes), or hide them again"
    Group "group" "Group rows by the next column that can be grouped by, then not at all"
    OnlyNode "only node" "Only the node of the selected row, or all nodes again"
    Columns "columns" "Choose the columns"
    ToggleColumn "show or hide" "Show the column, or hide it"
    Explain "explain" "EXPLAIN the statement, on its node (never ANALYZE)"
    Follow "" "Follow the selected row when rows move; in the events: the newest"
    PreviousNode "" "Previous node, same screen"
    NextNode "" "Next node, same screen"
    NextPane "pane" "Next pane"
    PreviousPane "" "Previous pane"
    Zoom "" "Zoom the pane"
    Wrap "" "Wrap long text"
    Copy "" "Send the row or statement, in an opened row the value, to the clipboard of the terminal"
    Export "export" "Write the answers to a file, CSV or JSON by the name you give"
    Freeze "" "Freeze the picture; health and collection go on"
    Slower "" "Refresh less often"
    Faster "" "Refresh more often"
    ScreenNodes "" "Nodes"
    ScreenTopology "" "Topology"
    ScreenActivity "" "Activity"
    ScreenLocks "" "Locks"
    ScreenReplication "" "Replication"
    ScreenStatements "" "Statements"
    ScreenTables "" "Tables"
    ScreenIo "" "I/O"
    ScreenQuery "" "Query"
    ScreenEvents "" "Events"
    ScreenAlerts "" "Alerts"
    Command "command" "Command line: a command, or a statement for the marked nodes, else for all"
    Help "help" "Help"
    Back "back" "Back, one thing at a time: the running query, the zoom, the filter, the marks, the screen"
    Quit "quit" "Back; at the top quit, once your queries have ended"
    Redraw "" "Draw everything anew"
    Suspend "" "Stop pgwatch and give the terminal to the shell; `fg` goes on"
    LeaveNow "" "Quit at once, cancelling what runs"
}

impl Action {
    /// It moves the selection, or scrolls where nothing is selected.
    pub fn is_move(self) -> bool {
        (Self::Up..=Self::HalfDown).contains(&self)
    }

    /// It shows a screen.
    pub fn is_screen(self) -> bool {
        (Self::ScreenNodes..=Self::ScreenAlerts).contains(&self)
    }
}
