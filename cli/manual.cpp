// SPDX-License-Identifier: Apache-2.0
#include "cli/manual.hpp"

#include "config/config.hpp"
#include "config/reference.hpp"

#include <algorithm>
#include <cctype>
#include <string_view>

#include <fmt/format.h>

namespace vergence::cli {
namespace {

// Text for a line of its own: what troff would take for a request or an escape is hidden from it.
std::string plain(std::string_view text) {
  std::string result;
  bool begins_line = true;
  for (const char c : text) {
    if (begins_line && (c == '.' || c == '\'')) result += "\\&";
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";  // a minus sign that can be copied, not a hyphen
    } else {
      result += c;
    }
    begins_line = c == '\n';
  }
  return result;
}

// Long lists of words may go on in the next line.
std::string breakable(const std::string& words) {
  std::string result;
  for (const char c : words) {
    result += c;
    if (c == '|') result += "\\:";
  }
  return result;
}

std::string heading(const std::string& name, const std::string& summary) {
  std::string upper = name;
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  // Keys are copied from here, so that no hyphens may come between.
  return fmt::format(
      ".TH {} 1 \"\" \"Vergence {}\" \"User Commands\"\n.nh\n.ad l\n.SH NAME\n{} \\- {}\n.SH "
      "SYNOPSIS\n",
      plain(upper), VERGENCE_VERSION, plain(name), plain(summary));
}

std::string flags(std::span<const Flag> table) {
  std::string text;
  for (const auto& flag : table) {
    text +=
        fmt::format(".TP\n\\fB{}\\fR", plain(fmt::format("{}", fmt::join(names_of(flag), ", "))));
    if (*flag.value != '\0') text += fmt::format(" \\fI{}\\fR", plain(flag.value));
    text += "\n" + plain(flag.help);
    if (*flag.key != '\0') text += fmt::format(" (\\fB{}\\fR)", plain(flag.key));
    text += "\n";
  }
  return text;
}

// The lines of describe_keys(), "KEY  TYPE  DEFAULT  MEANING", as a list.
std::string keys(const Command& command) {
  std::string text;
  for (const auto& key : config::key_descriptions(command.key_prefixes)) {
    text += fmt::format(".TP\n\\fB{}\\fR=\\fI{}\\fR\n{} (default {})\n", plain(key.key),
                        breakable(plain(key.type)), plain(key.meaning), plain(key.value));
  }
  return text;
}

constexpr std::string_view kExitStatus = R"(.SH EXIT STATUS
.TP
.B 0
done
.TP
.B 1
failed, also for an input that is missing or bad
.TP
.B 2
wrong usage or configuration
.TP
.B 130
interrupted
)";

}  // namespace

std::string manual_page() {
  std::string text =
      heading("vergence", "depth maps, meshes and 3D from panoramas, photos and videos");
  text +=
      ".B vergence\n.I COMMAND\n[\\fIarguments\\fR] [\\fIkey\\fR=\\fIvalue\\fR...]\n"
      ".SH DESCRIPTION\nVergence turns 360 panoramas, photos and videos into depth maps, textured "
      "meshes and 3D.\nResults (the paths written) go to standard output, everything else to "
      "standard error.\n.SH COMMANDS\n";
  for (const auto& command : commands()) {
    text += fmt::format(".TP\n\\fBvergence\\-{}\\fR(1)\n{}\n", plain(command.name),
                        plain(command.summary));
  }
  text += ".SH OPTIONS\n" + flags(common_flags());
  text += R"(.SH CONFIGURATION
.TP
\fIKEY\fR=\fIVALUE\fR
change a key
.TP
+\fIKEY\fR=\fIVALUE\fR, ++\fIKEY\fR=\fIVALUE\fR
add a key; set it in any case
.TP
~\fIKEY\fR
remove a key
.TP
\fIKEY\fR+=[\fIVALUE\fR]
extend a list
.TP
\fIGROUP\fR=\fIOPTION\fR
choose an option of a group:
)";
  text += plain(fmt::format("{}", fmt::join(config::groups(), ", "))) + "\n";
  text += R"(.SH FILES
.TP
.I $XDG_CONFIG_HOME/vergence
configuration files and presets of your own; ~/.config/vergence where that is not set
)";
  return text + std::string(kExitStatus);
}

std::string manual_page(const Command& command) {
  std::string text = heading(fmt::format("vergence-{}", command.name), command.summary);
  text += fmt::format(".B vergence {}\n{}\n", plain(command.name), plain(command.usage));
  const std::string_view details = *command.details == '\0' ? command.summary : command.details;
  const bool is_table = details.find("\n  ") != std::string_view::npos;
  text += fmt::format(".SH DESCRIPTION\n{}{}\n{}", is_table ? ".nf\n" : "", plain(details),
                      is_table ? ".fi\n" : "");
  if (!command.flags.empty()) text += ".SH OPTIONS\n" + flags(command.flags);
  const std::string settings = keys(command);
  if (!settings.empty()) text += ".SH CONFIGURATION\n" + settings;
  return text + std::string(kExitStatus) + ".SH SEE ALSO\n\\fBvergence\\fR(1)\n";
}

}  // namespace vergence::cli
