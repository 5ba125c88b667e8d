//! The help in the language of this run. clap has no languages of its own: every text that it shows is exchanged here, and the
//! names of its parts are given. Complaints about a command line stay clap's, in English.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command, CommandFactory as _};

use super::Cli;
use crate::words::{Language, chinese};

/// What clap parses with.
pub(crate) fn command() -> Command {
    match Language::spoken() {
        Language::English => Cli::command(),
        Language::Chinese => whole_in_chinese(),
    }
}

fn whole_in_chinese() -> Command {
    let version = Arg::new("version").short('V').long("version").action(ArgAction::Version);
    in_chinese(Cli::command()).disable_version_flag(true).arg(version.help("显示版本").help_heading("选项"))
}

/// A command and those below it, in Chinese.
fn in_chinese(mut command: Command) -> Command {
    if let Some(text) = command.get_about().and_then(|text| chinese(&text.to_string())) {
        command = command.about(text);
    }
    if let Some(text) = command.get_after_help().and_then(|text| chinese(&text.to_string())) {
        command = command.after_help(text);
    }
    command
        .help_template("{about-with-newline}\n用法：{usage}\n\n{all-args}{after-help}")
        .subcommand_help_heading("命令")
        .mut_args(argument)
        .disable_help_flag(true)
        .arg(Arg::new("help").short('h').long("help").action(ArgAction::Help).help("显示帮助").help_heading("选项"))
        .mut_subcommands(in_chinese)
}

fn argument(argument: Arg) -> Arg {
    let mut text = argument.get_help().map(ToString::to_string).unwrap_or_default();
    if let Some(translated) = chinese(&text) {
        translated.clone_into(&mut text);
    }
    let takes_values = argument.get_action().takes_values();
    let values: Vec<_> = argument.get_possible_values().into_iter().filter(|_| takes_values).collect();
    for value in &values {
        if let Some(help) = value.get_help().map(ToString::to_string) {
            let _ = write!(text, "\n  {}：{}", value.get_name(), chinese(&help).unwrap_or(&help));
        }
    }
    if !values.is_empty() && values.iter().all(|value| value.get_help().is_none()) {
        let names: Vec<&str> = values.iter().map(clap::builder::PossibleValue::get_name).collect();
        let _ = write!(text, "［可选：{}］", names.join("、"));
    }
    if let Some(default) = argument.get_default_values().first().filter(|_| takes_values) {
        let _ = write!(text, "［默认：{}］", default.display());
    }
    let heading = if argument.is_positional() { "参数" } else { "选项" };
    let argument = argument.help(text).help_heading(heading);
    // A flag has neither.
    if takes_values { argument.hide_possible_values(true).hide_default_value(true) } else { argument }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_consistent_in_chinese_too() {
        whole_in_chinese().debug_assert();
    }

    #[test]
    fn no_part_of_any_help_is_left_in_english() {
        fn walk(command: &mut Command) {
            let help = command.render_long_help().to_string();
            for part in
                ["Usage", "Options", "Commands", "Arguments", "Print help", "Possible values", "[default", "[possible"]
            {
                assert!(!help.contains(part), "{part}: {help}");
            }
            command.get_subcommands_mut().for_each(walk);
        }
        let mut command = whole_in_chinese();
        command.build();
        walk(&mut command);
    }
}
