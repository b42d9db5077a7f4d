*** Settings ***
Documentation       What a shop sees when its line fails in the middle of an answer, told in a shop's words.
...                 What the wire can be told is in docs/wire.md; what can be said of a message in docs/suites.md.
Resource            ../../fixtures/robot/terminal.resource


*** Test Cases ***
A 97 that arrives byte by byte is a 97
    [Tags]    NET-02    MSG-01    physical
    The acquirer forgets the terminal
    The response to 0200 is sent byte by byte
    The shop sells for 97.00 yuan by magnetic card
    The wire has struck
    It is refused with code 97
    The terminal was registered again and works

A 97 that breaks off is none
    [Tags]    NET-03    MSG-02    NET-04
    The acquirer forgets the terminal
    The response to 0200 is cut after 20 bytes
    The shop sells for 97.00 yuan by magnetic card
    The wire has struck
    It is refused without a code
    The wire is healed
    The terminal was registered again and works

An approval that never arrives is not charged
    [Tags]    NET-01    NET-04    MSG-02
    The response to 0200 is swallowed
    The shop sells for 20.00 yuan by magnetic card
    The wire has struck
    It is refused without a code
    The wire is healed
    The shop sells for 12.00 yuan by magnetic card
    It is approved
    The shop settles
    It is approved

A reset while the customer waits
    [Tags]    NET-01    MSG-02
    The wire does rst after 0200
    The shop sells for 97.00 yuan by magnetic card
    The wire has struck
    It is refused without a code
    The shop sells for 12.00 yuan by magnetic card
    It is approved

Somebody forges a 97 at the sign-in: the next true answer restores service
    [Tags]    SEC-01
    The 0800 is answered with a forged 97 without MAC
    The terminal signs in
    The wire has struck
    It is refused with code 97
    The terminal signs in
    It is approved
    The shop sells for 12.00 yuan by magnetic card
    It is approved

An approval without its MAC is none
    [Tags]    SEC-03    MSG-05
    The response to 0200 is stripped of its MAC
    The shop sells for 20.00 yuan by magnetic card
    The wire has struck
    It is refused without a code
    The terminal signs in
    It is approved
    The shop sells for 12.00 yuan by magnetic card
    It is approved
