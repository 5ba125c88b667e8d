//! Content parts into [`Block`]s. Kinds that nothing here knows are left out with a notice, because refusing them would
//! end a session for good: the client sends its history again with every request. Audio and uploaded files are refused:
//! an answer to a question whose main part nobody heard would be a lie.

use super::wire::WirePart;
use crate::conversation::Block;
use crate::openai::media;
use crate::reading::content::{At, BlockList, Part, loose, required, shown};
use crate::reading::loose::Either;
use crate::reading::notes::Fault;

impl Part for WirePart {
    fn convert(self, at: At, list: &mut BlockList) -> Result<(), Fault> {
        let kind = required(self.kind, "type")?;
        let cache = self.cache_control.is_some();
        match kind.as_str() {
            "text" | "input_text" | "output_text" => {
                let text = required(self.text, "text")?;
                if text.is_empty() {
                    list.notes.add("empty_text", at, "empty text was left out");
                } else {
                    list.text(text, cache);
                }
            }
            "refusal" => list.text(required(self.refusal, "refusal")?, cache),
            "thinking" | "reasoning" => {
                let text = required(self.thinking.or(self.text), "thinking")?;
                list.blocks.push(Block::Thinking { text, signature: None });
            }
            "image_url" | "input_image" => {
                let url = match self.image_url {
                    Some(Either::Object(image)) => {
                        list.notes.unknown(format_args!("{at}.image_url"), &image.unknown);
                        required(image.url, "image_url.url")?
                    }
                    // Not in the books, but several clients write it so.
                    Some(Either::Text(url)) => url,
                    Some(Either::Other) => {
                        return Err(Fault::new("wrong_type", ".image_url", "Input should be an object"));
                    }
                    None => return Err(Fault::missing(".image_url")),
                };
                list.blocks.push(media::image(url, ".image_url.url")?);
            }
            "file" | "input_file" => {
                let file = match self.file {
                    Some(Either::Object(file)) => file,
                    Some(Either::Text(_) | Either::Other) => {
                        return Err(Fault::new("wrong_type", ".file", "Input should be an object"));
                    }
                    None => return Err(Fault::missing(".file")),
                };
                list.notes.unknown(format_args!("{at}.file"), &file.unknown);
                if file.file_data.is_none() && file.file_id.is_some() {
                    return Err(media::uploaded_file(".file.file_id"));
                }
                let data = required(file.file_data, "file.file_data")?;
                list.blocks.push(media::file(Some(loose(file.filename)), data));
            }
            "input_audio" => {
                return Err(Fault::unsupported(".input_audio", "Audio input is not available here; send it as text"));
            }
            other => {
                let kind = shown(other);
                list.notes.add(
                    "unknown_part",
                    at,
                    format!("a part of type `{kind}` is not supported and was left out"),
                );
                return Ok(());
            }
        }
        list.notes.unknown(at, &self.unknown);
        Ok(())
    }
}
