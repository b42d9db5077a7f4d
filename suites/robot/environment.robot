*** Settings ***
Documentation       What a shop's climate, its mains and worn parts do to a terminal, told in a shop's words: never a 97.
...                 Only on benches with instruments (tag needs-instruments); docs/environment.md.
Resource            ../../fixtures/robot/terminal.resource
Library             harness.robot.environment.EnvironmentLibrary
Test Tags           needs-instruments


*** Test Cases ***
A shop in the cold meets a 97 and comes back from it
    [Tags]    ENV-04    MSG-01    REC-01
    It is as cold as the terminal may have it
    The acquirer forgets the terminal
    The shop sells for 97.00 yuan by magnetic card
    It is refused with code 97
    The terminal was registered again and works

Weak mains and strong ones
    [Tags]    ENV-01
    At each step of the stress profile supply-range    The shop sold something

A printer that is out of order hides no 97
    [Tags]    ENV-03
    The printer is broken: dead
    The acquirer forgets the terminal
    The shop sells for 97.00 yuan by magnetic card
    It is refused with code 97
    The printer is whole again
    The terminal was registered again and works

A burst while the answer is on its way costs nobody anything
    [Tags]    ENV-02
    It will strike during the response to 0200
    A burst of 1 kV strikes a sale
    The terminal comes back
    The terminal signs in
    It is approved
    The shop sells for 12.00 yuan by chip card
    It is approved

The mains fail for a moment when a shop comes back from 97
    [Tags]    ENV-02
    The acquirer forgets the terminal
    The shop sells for 97.00 yuan by magnetic card
    It is refused with code 97
    The acquirer registers the terminal
    It will strike during 0800
    The supply is interrupted for 500 ms in a sign-in
    The terminal comes back
    The terminal signs in
    It is approved
    The shop sells for 12.00 yuan by chip card
    It is approved
