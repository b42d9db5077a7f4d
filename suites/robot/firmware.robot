*** Settings ***
Documentation       Other software for a terminal, told in an engineer's words.
Resource            ../../fixtures/robot/terminal.resource
Library             harness.robot.updates.UpdateLibrary


*** Test Cases ***
A shop gets the next version in the middle of its day
    [Tags]    FWU-01
    The shop sold something
    The next version is given by the service port
    It is installed
    The terminal runs the next version
    The shop sells for 12.00 yuan by chip card
    It is approved

An image that somebody else has signed is not for this terminal
    [Tags]    FWU-04
    The shop sold something
    An image is given by the service port that is flawed: foreign key
    The image is refused with a reason
    The terminal runs what it ran before
