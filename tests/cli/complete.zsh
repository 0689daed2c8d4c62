# SPDX-License-Identifier: Apache-2.0
# Types TEXT and a tab into a real zsh and prints what stands on its command line then:
#   zsh -f complete.zsh TEXT
zmodload zsh/zpty
autoload -Uz compinit
zpty shell zsh -f -i
zpty -w shell "PS1= ; autoload -Uz compinit; compinit -u -D; eval \"\$(vergence completion zsh)\""
zpty -w shell 'show() { print -r -- "[$BUFFER]"; }; zle -N show; bindkey "^X" show'
# Ready when it answers: what was typed is echoed, too, but not as this.
zpty -w shell 'print $((6 * 7))ready'
zpty -r shell line '*42ready*'
zpty -n -w shell "$1"$'\t\x18'
zpty -r shell line '*\[*\]*'
print -r -- "${${line##*\[}%%\]*}"
zpty -d shell
