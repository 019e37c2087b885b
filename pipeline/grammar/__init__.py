"""What can be said: grammars in JSGF, read into weighted automata over words."""
