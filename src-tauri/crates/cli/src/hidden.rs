//! Asking for what must not be seen: on the terminal without showing it, or as one line of piped input. Never from an
//! argument, which every user of the machine could read.

use std::io::{BufRead as _, IsTerminal as _};

use zeroize::Zeroizing;

use crate::exit::{Exit, Trouble};
use crate::words;

/// One hidden line.
pub(crate) fn ask(question: &str) -> Result<Zeroizing<String>, Trouble> {
    if std::io::stdin().is_terminal() { on_terminal(question) } else { next_line(question) }
}

/// A new passphrase: typed twice by a person, one line from a pipe.
pub(crate) fn ask_new(question: &str) -> Result<Zeroizing<String>, Trouble> {
    if !std::io::stdin().is_terminal() {
        return next_line(question);
    }
    let first = on_terminal(question)?;
    if *on_terminal("The same once more")? != *first {
        return Err(trouble(question, "the two differ"));
    }
    Ok(first)
}

/// On the terminal although standard input is something else.
pub(crate) fn on_terminal(question: &str) -> Result<Zeroizing<String>, Trouble> {
    let question = words::of(question);
    let typed = rpassword::prompt_password(format!("{question}: ")).map(Zeroizing::new);
    typed.map_err(|error| trouble(question, &error.to_string()))
}

fn next_line(question: &str) -> Result<Zeroizing<String>, Trouble> {
    let mut line = Zeroizing::new(String::new());
    std::io::stdin().lock().read_line(&mut line).map_err(|error| trouble(question, &error.to_string()))?;
    let text = Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned());
    if text.is_empty() {
        return Err(trouble(question, "standard input ended before it came"));
    }
    Ok(text)
}

fn trouble(question: &str, why: &str) -> Trouble {
    Trouble::new(
        Exit::Usage,
        "hidden_input_missing",
        format!("{}: {}", words::of(question), words::of(why)),
        "nothing was changed",
        "type it on a terminal, or pipe it in as one line",
    )
}
