//! Structure of plain text: environment files, lists, tables, and a single pasted token.

use secrecy::SecretString;

use super::{Companion, Raw, Reject, base_name, json};
use crate::account::AccountWarning;

/// Shortest text that can be a refresh token on its own.
const SHORTEST_TOKEN: usize = 100;

/// The records of a text.
pub(super) fn records(content: &str, companions: &[Companion]) -> Vec<Result<Raw, Reject>> {
    let lines: Vec<&str> =
        content.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    match lines.as_slice() {
        [] => vec![Err(Reject::new("no_account", "there is nothing to read"))],
        lines if lines.iter().any(|line| assignment(line).is_some()) => environment(lines, companions),
        [first, ..] if header(first).is_some() => table(content),
        lines => lines.iter().map(|line| single(line)).collect(),
    }
}

/// `NAME=value`, with or without quotes or `export`.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    let name = name.trim();
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    let value = value.trim();
    let unquoted = ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote).and_then(|value| value.strip_suffix(*quote)))
        .unwrap_or(value);
    is_name.then_some((name, unquoted))
}

/// Names under which an environment file names another file with the login.
const POINTERS: [&str; 3] = ["KIRO_AUTH_TOKEN", "KIRO_CREDS_FILE", "KIRO_CLI_DB_FILE"];

fn value(lines: &[&str], wanted: &str) -> Option<String> {
    let mut pairs = lines.iter().filter_map(|line| assignment(line));
    pairs.find(|(name, value)| *name == wanted && !value.is_empty()).map(|(_, value)| value.to_owned())
}

/// Files that an environment file points to.
pub(super) fn wanted(content: &str) -> Vec<String> {
    let lines: Vec<&str> = content.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect();
    POINTERS.iter().filter_map(|name| value(&lines, name)).filter(|value| !value.starts_with(['[', '{'])).collect()
}

fn environment(lines: &[&str], companions: &[Companion]) -> Vec<Result<Raw, Reject>> {
    let value = |wanted: &str| value(lines, wanted);
    if let Some(list) = value("KIRO_AUTH_TOKEN")
        && list.starts_with(['[', '{'])
    {
        return json::records(&list, &[]);
    }
    if let Some(key) = value("KIRO_API_KEY") {
        let region = value("KIRO_REGION");
        return vec![Ok(Raw { api_key: Some(SecretString::from(key)), api_region: region, ..Raw::default() })];
    }
    let Some(token) = value("REFRESH_TOKEN") else {
        let Some(pointer) = POINTERS.iter().find_map(|name| value(name)) else {
            let message = "no REFRESH_TOKEN, KIRO_API_KEY or KIRO_AUTH_TOKEN in the text";
            return vec![Err(Reject::new("no_account", message))];
        };
        let file = companions
            .iter()
            .find(|companion| companion.name == pointer)
            .or_else(|| companions.iter().find(|companion| base_name(&companion.name) == base_name(&pointer)));
        return match file {
            Some(file) => json::records(file.content.trim_start_matches('\u{feff}').trim(), companions),
            None => {
                let message = format!("the account is in the file {}, which was not handed in", pointer.escape_debug());
                vec![Err(Reject::new("companion_missing", message))]
            }
        };
    };
    vec![Ok(Raw {
        refresh_token: Some(SecretString::from(token)),
        profile_arn: value("PROFILE_ARN"),
        auth_method: Some("social".into()),
        ..Raw::default()
    })]
}

/// One line that is not part of a table: a key, a token, or `email,token,nickname,provider`.
fn single(line: &str) -> Result<Raw, Reject> {
    if line.starts_with("ksk_") && !line.contains(',') {
        return Ok(Raw {
            api_key: Some(SecretString::from(line)),
            warnings: vec![AccountWarning::RegionGuessed],
            ..Raw::default()
        });
    }
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let filled = |at: usize| fields.get(at).filter(|field| !field.is_empty()).map(|field| (*field).to_owned());
    match fields.as_slice() {
        [token] if token.len() >= SHORTEST_TOKEN && !token.contains(char::is_whitespace) => Ok(Raw {
            refresh_token: Some(SecretString::from(*token)),
            warnings: vec![AccountWarning::KindGuessed],
            ..Raw::default()
        }),
        [email, token, ..] if email.contains('@') && !token.is_empty() && fields.len() <= 4 => Ok(Raw {
            refresh_token: Some(SecretString::from(*token)),
            email: Some((*email).to_owned()),
            label: filled(2),
            provider: filled(3),
            ..Raw::default()
        }),
        _ => Err(Reject::new("format_not_recognised", "this line is neither a token, a key nor a list entry")),
    }
}

/// A column of the table that account managers export.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Email,
    Label,
    Provider,
    RefreshToken,
    ClientId,
    ClientSecret,
    Region,
    Other,
}

fn column(name: &str) -> Column {
    let plain: String = name.trim().to_lowercase().chars().filter(|c| !matches!(c, ' ' | '_' | '-' | '"')).collect();
    match plain.as_str() {
        "email" | "邮箱" | "账号" => Column::Email,
        "nickname" | "label" | "昵称" | "备注" => Column::Label,
        "idp" | "provider" | "登录方式" | "登录类型" | "身份提供商" => Column::Provider,
        "refreshtoken" | "刷新令牌" => Column::RefreshToken,
        "clientid" | "客户端id" => Column::ClientId,
        "clientsecret" | "客户端密钥" => Column::ClientSecret,
        "region" | "区域" => Column::Region,
        _ => Column::Other,
    }
}

/// The columns when the line is a header that names the refresh token.
fn header(line: &str) -> Option<Vec<Column>> {
    let columns: Vec<Column> = line.split(',').map(column).collect();
    columns.contains(&Column::RefreshToken).then_some(columns)
}

fn table(content: &str) -> Vec<Result<Raw, Reject>> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(content.as_bytes());
    let columns: Vec<Column> = match reader.headers() {
        Ok(names) => names.iter().map(column).collect(),
        Err(_) => return vec![Err(Reject::new("format_not_recognised", "the table's first line cannot be read"))],
    };
    let rows: Vec<Result<Raw, Reject>> = reader
        .records()
        .map(|row| {
            let row = row.map_err(|_| Reject::new("format_not_recognised", "a line of the table cannot be read"))?;
            let field = |wanted: Column| {
                let at = columns.iter().position(|column| *column == wanted)?;
                row.get(at).filter(|text| !text.is_empty()).map(str::to_owned)
            };
            Ok(Raw {
                refresh_token: field(Column::RefreshToken).map(SecretString::from),
                client_id: field(Column::ClientId),
                client_secret: field(Column::ClientSecret).map(SecretString::from),
                oidc_region: field(Column::Region),
                provider: field(Column::Provider),
                email: field(Column::Email),
                label: field(Column::Label),
                ..Raw::default()
            })
        })
        .collect();
    if rows.is_empty() {
        return vec![Err(Reject::new("no_account", "the table has no lines"))];
    }
    rows
}
