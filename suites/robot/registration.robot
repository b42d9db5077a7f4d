*** Settings ***
Documentation       What a shop sees when its terminal is not registered, told in a shop's words.
...                 Runs with the other suites by ``hil97 run``, and by itself: ``robot suites/robot/registration.robot``.
Resource            ../../fixtures/robot/terminal.resource


*** Test Cases ***
A shop whose terminal was forgotten sells again after registration
    [Tags]    MSG-01    MON-01    MON-02    REC-01    physical
    The shop sold something
    The acquirer forgets the terminal
    The shop sells for 97.00 yuan by chip card
    It is refused with code 97
    The terminal was registered again and works

A cable that was pulled out is not 97
    [Tags]    MSG-02
    The cable is pulled out
    The shop sells for 97.00 yuan by magnetic card
    It is refused without a code
    The cable is put back
    The shop sells for 12.00 yuan by magnetic card
    It is approved

Lost answer, then forgotten, then registered: charged once at most
    [Tags]    MON-03    REC-03    MON-07
    The answer to the next sale is lost
    The shop sells for 10.00 yuan by magnetic card
    It is refused without a code
    The acquirer forgets the terminal
    The terminal is switched off and on
    The terminal signs in
    It is refused with code 97
    The terminal was registered again and works
    The shop voids the last sale
    It is approved
    The shop settles
    It is approved
