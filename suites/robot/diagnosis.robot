*** Settings ***
Documentation       What a technician makes of a terminal that does not sell, in his words (docs/diagnosis.md).
Resource            ../../fixtures/robot/terminal.resource
Library             harness.robot.diagnosis.DiagnosisLibrary


*** Test Cases ***
A terminal that its acquirer forgot is told from a broken one
    [Tags]    MSG-01
    The acquirer forgets the terminal
    The shop sells for 97.00 yuan by chip card
    It is refused with code 97
    A technician looks for what is the matter
    It may be not registered
    It may be under review
    Nothing is certain
    The acquirer is asked too
    It is held for not registered
    The terminal was registered again and works

A line that is unplugged is not held for 97
    [Tags]    MSG-02
    The cable is pulled out
    The shop sells for 97.00 yuan by magnetic card
    It is refused without a code
    A technician looks for what is the matter
    It is held for no link
    The cable is put back
    The shop sells for 12.00 yuan by magnetic card
    It is approved
