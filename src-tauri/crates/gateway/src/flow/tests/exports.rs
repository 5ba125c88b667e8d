use super::*;

/// Three requests: answered after another account refused, failed with words that want to be markup, left by the client.
const FLOWS: &str = include_str!("../../../../../../tests/fixtures/flows/flows.json");

fn rows() -> Vec<Row> {
    let flows: Vec<Value> = serde_json::from_str(FLOWS).expect("JSON");
    let row = |(at, flow): (usize, Value)| Row {
        seq: at as u64,
        marks: Arc::new(serde_json::from_value(flow.clone()).expect("marks")),
        flow: Arc::new(serde_json::from_value(flow).expect("a flow")),
    };
    flows.into_iter().enumerate().map(row).collect()
}

fn golden(name: &str, format: ExportFormat) {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/flows")).join(name);
    let text = export(&rows(), format, START);
    if std::env::vars().any(|(name, value)| name == "UPDATE_GOLDEN" && value == "1") {
        crate::data_dir::write_synced(&path, text.as_bytes()).expect("written");
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap_or_default(), "{}", path.display());
}

#[test]
fn an_export_as_json_is_as_the_golden_file() {
    golden("export.json", ExportFormat::Json);
}

#[test]
fn an_export_as_lines_is_as_the_golden_file() {
    golden("export.jsonl", ExportFormat::Jsonl);
}

#[test]
fn an_export_as_a_page_is_as_the_golden_file() {
    golden("export.md", ExportFormat::Markdown);
}

#[test]
fn json_and_lines_hold_the_same_and_can_be_read_again() {
    let document: Value = serde_json::from_str(&export(&rows(), ExportFormat::Json, START)).expect("JSON");
    let lines = export(&rows(), ExportFormat::Jsonl, START);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(document["flows"], json!(lines));
    let again: Vec<FlowView> = serde_json::from_value(document["flows"].clone()).expect("flows");
    assert_eq!(again, rows().iter().map(|row| FlowView::clone(&row.flow)).collect::<Vec<_>>());
}

#[test]
fn an_export_of_nothing_is_a_whole_file() {
    assert_eq!(export(&[], ExportFormat::Jsonl, START), "");
    let document: Value = serde_json::from_str(&export(&[], ExportFormat::Json, START)).expect("JSON");
    assert_eq!(document["flows"], json!([]));
    assert!(export(&[], ExportFormat::Markdown, START).contains("0 requests"));
}
