"""From what was seen to what is the matter: a history, or a part of one, to the set of causes that fit it.

``causes`` what can be the matter, in words, and its cure. ``signs`` the evidence model: what each observable says about
each cause. ``observing`` and its parts: a history to the signs in it. ``judging`` signs to a :class:`Diagnosis`.
``episode`` the part of a history that one cause may explain. Pure, all of it.
"""
