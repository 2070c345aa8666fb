//! Everything that a key can trigger. `config/keys.yaml` maps keys to actions in each place; the key line, the help
//! and the README's table take their words from here, in this order.

use serde::Deserialize;

macro_rules! actions {
    ($($name:ident $short:literal $doc:literal)*) => {
        /// What a key triggers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Action { $(#[doc = $doc] $name,)* }

        impl Action {
            /// All actions, in the order of the key line and the help.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word in the key line; empty for an action that only the help lists.
            pub fn short(self) -> &'static str {
                match self { $(Self::$name => $short,)* }
            }

            /// The description in the help and the README: one line.
            pub fn doc(self) -> &'static str {
                match self { $(Self::$name => $doc,)* }
            }
        }
    };
}

actions! {
    Up "move" "Move up"
    Down "move" "Move down"
    Top "" "Go to the first row"
    Bottom "" "Go to the last row"
    PageUp "" "Move a page up"
    PageDown "" "Move a page down"
    HalfUp "" "Move half a page up"
    HalfDown "" "Move half a page down"
    Left "" "Scroll columns left"
    Right "" "Scroll columns right"
    Open "open" "Open the selected row"
    Mark "mark" "Mark the row; actions and statements apply to the marked rows"
    Add "add" "Add a node"
    Edit "edit" "Edit the node"
    Remove "remove" "Remove the node from the dashboard (asks first)"
    Retry "retry" "Retry the node now"
    Acknowledge "acknowledge" "Acknowledge the alert, so that it is not counted; again to undo"
    Compare "compare" "Show what differs between the marked nodes, or between all if none is marked"
    Pause "" "Pause the node and close pgwatch's sessions on it; again to resume"
    RefreshNow "refresh" "Refresh now"
    EditStatement "edit" "Edit the statement"
    Rerun "run again" "Run the statement again"
    Run "run" "Run the statement"
    Accept "accept" "Accept; in the editor, run the statement if it ends in ;"
    Test "test" "Test the connection"
    Yes "yes" "Yes"
    No "no" "No"
    NextField "next" "Next field or choice"
    PreviousField "" "Previous field or choice"
    Complete "complete" "Next completion"
    CompleteBack "" "Previous completion"
    Older "history" "Older entry in the history"
    Newer "" "Newer entry in the history"
    Cancel "close" "Cancel; in the editor, cancel the running statement or go to the results"
    ProblemsOnly "problems" "Show only problems"
    Filter "filter" "Filter rows as you type: text, regex or column:text; ! in front inverts"
    Sort "sort" "Sort by the next column"
    SortReverse "" "Reverse the sort order"
    SortLeft "" "Sort by the column to the left"
    SortRight "" "Sort by the column to the right"
    ShowHidden "all" "Show the rows that are hidden at first (such as idle sessions), or hide them again"
    Group "group" "Group rows by the next column that allows it, then ungroup"
    OnlyNode "only node" "Show only the node of the selected row, or all nodes again"
    Columns "columns" "Choose the columns"
    ToggleColumn "show or hide" "Show the column, or hide it"
    Explain "explain" "Show the plan of the statement on its node (EXPLAIN, never ANALYZE)"
    Follow "" "Keep the selected row selected when rows move; in Events, follow the newest"
    PreviousNode "" "Previous node, same screen"
    NextNode "" "Next node, same screen"
    NextPane "pane" "Next pane or table"
    PreviousPane "" "Previous pane or table"
    Zoom "" "Zoom the pane, or restore it"
    Wrap "" "Wrap long text, or cut it off again"
    Copy "" "Send the statement or row (in an open row, the selected value) to the terminal's clipboard"
    Export "export" "Write the answers to a CSV or JSON file, chosen by its name"
    Freeze "" "Freeze the screen; pgwatch keeps collecting"
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
    Command "command" "Command line: a command, or a statement for the marked nodes or all nodes"
    Help "help" "Help"
    Back "back" "Back, one step at a time: running query, zoom, filter, marks, screen"
    Quit "quit" "Back; on the first screen quit, once your queries have ended"
    Redraw "" "Redraw the screen"
    Suspend "" "Suspend pgwatch and return to the shell; `fg` resumes it"
    LeaveNow "" "Quit at once and cancel running statements"
}

impl Action {
    /// True if it moves the selection, or scrolls where nothing is selected.
    pub fn is_move(self) -> bool {
        (Self::Up..=Self::HalfDown).contains(&self)
    }

    /// True if it shows a screen.
    pub fn is_screen(self) -> bool {
        (Self::ScreenNodes..=Self::ScreenAlerts).contains(&self)
    }
}
