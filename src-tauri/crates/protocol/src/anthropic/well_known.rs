//! Tools whose schema the API itself knows but the client runs: spelled out for a model behind another door.

use crate::conversation::JsonObject;
use crate::reading::schema::object_schema;
use serde_json::json;

type Spelled = (String, JsonObject);

pub(super) fn bash() -> Spelled {
    let properties = json!({
        "command": { "type": "string", "description": "The command to run." },
        "restart": { "type": "boolean", "description": "Set to true to restart the shell instead of running a command." },
    });
    ("Runs commands in a persistent bash session.".to_owned(), object_schema(properties, &[]))
}

pub(super) fn text_editor() -> Spelled {
    let properties = json!({
        "command": { "type": "string", "enum": ["view", "create", "str_replace", "insert"] },
        "path": { "type": "string", "description": "Absolute path of the file or directory." },
        "file_text": { "type": "string", "description": "For `create`: the content of the new file." },
        "old_str": { "type": "string", "description": "For `str_replace`: the text to replace; must occur exactly once." },
        "new_str": { "type": "string", "description": "For `str_replace`: the new text." },
        "insert_line": { "type": "integer", "description": "For `insert`: insert after this line; 0 is the beginning." },
        "insert_text": { "type": "string", "description": "For `insert`: the text to insert." },
        "view_range": { "type": "array", "items": { "type": "integer" }, "description": "For `view`: first and last line, from 1; -1 is the end." },
    });
    ("Views, creates and edits text files.".to_owned(), object_schema(properties, &["command", "path"]))
}

pub(super) fn memory() -> Spelled {
    let properties = json!({
        "command": { "type": "string", "enum": ["view", "create", "str_replace", "insert", "delete", "rename"] },
        "path": { "type": "string", "description": "Path of the file or directory, below /memories." },
        "view_range": { "type": "array", "items": { "type": "integer" }, "description": "For `view`: first and last line, from 1." },
        "file_text": { "type": "string", "description": "For `create`: the content of the new file." },
        "old_str": { "type": "string", "description": "For `str_replace`: the text to replace; must occur exactly once." },
        "new_str": { "type": "string", "description": "For `str_replace`: the new text." },
        "insert_line": { "type": "integer", "description": "For `insert`: insert after this line; 0 is the beginning." },
        "insert_text": { "type": "string", "description": "For `insert`: the text to insert." },
        "old_path": { "type": "string", "description": "For `rename`: the path now." },
        "new_path": { "type": "string", "description": "For `rename`: the path afterwards." },
    });
    let description = "Keeps notes in files below /memories that outlive this conversation. View /memories before starting a task, and \
                       write down progress and what is worth knowing later.";
    (description.to_owned(), object_schema(properties, &["command"]))
}

/// Width and height of the screen in pixels, as far as they were said.
pub(super) fn computer((width, height): (Option<u32>, Option<u32>)) -> Spelled {
    let properties = json!({
        "action": { "type": "string", "enum": [
            "key", "type", "mouse_move", "left_click", "left_click_drag", "right_click", "middle_click", "double_click", "triple_click",
            "left_mouse_down", "left_mouse_up", "scroll", "hold_key", "wait", "screenshot", "cursor_position", "zoom",
        ] },
        "coordinate": { "type": "array", "items": { "type": "integer" }, "description": "[x, y] in pixels from the upper left corner." },
        "start_coordinate": { "type": "array", "items": { "type": "integer" }, "description": "For `left_click_drag`: where it begins." },
        "text": { "type": "string", "description": "For `type`: the text; for `key` and `hold_key`: the keys, such as ctrl+s." },
        "scroll_direction": { "type": "string", "enum": ["up", "down", "left", "right"] },
        "scroll_amount": { "type": "integer" },
        "duration": { "type": "number", "description": "Seconds, for `wait` and `hold_key`." },
        "region": { "type": "array", "items": { "type": "integer" }, "description": "For `zoom`: [x0, y0, x1, y1]." },
    });
    let mut description =
        "Controls the screen, keyboard and mouse of a computer. Take a screenshot to see what happened.".to_owned();
    if let (Some(width), Some(height)) = (width, height) {
        description.push_str(&format!(" The screen is {width} pixels wide and {height} pixels high."));
    }
    (description, object_schema(properties, &["action"]))
}
